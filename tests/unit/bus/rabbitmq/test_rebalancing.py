"""What consumers hear of each other, beside what others publish to the same exchange."""

import msgspec
import pytest

from htmengine.bus.rabbitmq.rebalancing import Member, Question, Roster, rebalance, rendezvous_owner


class Exchange:
    """Hands each message to whoever listens; keeps what was sent."""

    def __init__(self):
        self.listeners = []
        self.sent = []

    def ask(self, _request):
        pass

    def declare_own_queue(self):
        return "own"

    def consume(self, _queue, heard, _lost, **_options):
        self.listeners.append(heard)

    def say(self, body):
        for heard in list(self.listeners):
            heard(None, None, body)

    def send(self, publication):
        self.sent.append(publication)
        self.say(publication.body)

    def publish(self, publications):
        for publication in publications:
            self.send(publication)


@pytest.fixture
def exchange():
    return Exchange()


FOREIGN = [b"", b"hello", b"\xff\xfe", b"[]", b'{"type": "else"}', b"[" * 100_000, b'{"type":"who"}']


@pytest.mark.parametrize("body", FOREIGN, ids=range(len(FOREIGN)))
def test_a_member_answers_and_releases_also_after_a_message_of_others(exchange, body):
    member = Member(exchange, "app", "a", ["q0", "q1", "q2", "q3"])
    exchange.say(body)
    exchange.say(msgspec.json.encode(Question(answer_to="asker")))
    assert exchange.sent[-1].routing_key == "asker"
    nodes = {f"q{i}": ["a", "b"] for i in range(4)}
    exchange.say(msgspec.json.encode(Roster(nodes=nodes)))
    assert member.to_release() == {queue for queue in nodes if rendezvous_owner(nodes, queue) == "b"}


def test_who_asks_counts_members_alone(exchange, monkeypatch):
    Member(exchange, "app", "a", ["q0", "q1"])
    monkeypatch.setattr(
        "htmengine.bus.rabbitmq.rebalancing.time.sleep", lambda _: exchange.say(b"not of this protocol")
    )
    assert rebalance(exchange, "app") == {"a": 2}
