"""Whatever is done, in whatever order: nothing is lost, nothing comes after it was acknowledged, order holds."""

import shutil
import tempfile
from collections import defaultdict
from pathlib import Path

from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from htmengine.bus import MAX_DELIVERIES, Outgoing
from htmengine.bus.embedded.bus import EmbeddedBus
from tests.support.examples import examples

QUEUES = ["a", "b", "c"]
SOME_QUEUES = st.lists(st.sampled_from(QUEUES), min_size=1, max_size=3, unique=True)


class EmbeddedBusStates(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.published = 0
        self.waiting = defaultdict(list)  # by queue: bodies that nobody has acknowledged, in order
        self.deliveries = defaultdict(int)
        self.consumers = []
        self.held = {}  # by consumer: what it has in hand
        self.dead = set()
        self.latest = {}  # by (queue, epoch): the newest body that was delivered
        self.bus = EmbeddedBus(self.folder / "bus.sqlite")

    @initialize()
    def declare(self):
        for queue in QUEUES:
            self.bus.declare_queue(queue)

    @rule(queues=st.lists(st.sampled_from(QUEUES), min_size=1, max_size=5))
    def publish(self, queues):
        messages = []
        for queue in queues:
            self.published += 1
            messages.append(Outgoing(queue, b"%d" % self.published))
            self.waiting[queue].append(self.published)
        self.bus.publish(messages)

    @precondition(lambda self: len(self.consumers) < 3)
    @rule(queues=SOME_QUEUES)
    def consume(self, queues):
        consumer = self.bus.consume(queues)
        self.consumers.append(consumer)
        self.held[consumer] = {}

    @precondition(lambda self: self.consumers)
    @rule(data=st.data(), max_messages=st.integers(1, 6))
    def receive(self, data, max_messages):
        consumer = data.draw(st.sampled_from(self.consumers))
        got = consumer.receive(max_messages=max_messages, timeout_s=0)
        self.note_dead_letters()
        assert len(got) <= max_messages
        in_hand = {body for held in self.held.values() for body in held}
        for delivery in got:
            body = int(delivery.body)
            assert delivery.queue in consumer.queues
            assert body in self.waiting[delivery.queue]
            assert body not in in_hand
            self.deliveries[body] += 1
            assert delivery.deliveries == self.deliveries[body] <= MAX_DELIVERIES
            if delivery.deliveries > 1:
                assert len(got) == 1
                assert not self.held[consumer]
            assert self.latest.get((delivery.queue, delivery.epoch), 0) < body
            self.latest[delivery.queue, delivery.epoch] = body
        assert not got or all(held.deliveries == 1 for held in self.held[consumer].values())
        self.held[consumer].update((int(delivery.body), delivery) for delivery in got)

    def some_held(self, data):
        consumer = data.draw(st.sampled_from([c for c in self.consumers if self.held[c]]))
        return consumer, data.draw(st.sampled_from(sorted(self.held[consumer])))

    @precondition(lambda self: any(self.held.values()))
    @rule(data=st.data(), up_to=st.booleans())
    def ack(self, data, up_to):
        consumer, body = self.some_held(data)
        done = [other for other in self.held[consumer] if other == body or (up_to and other < body)]
        consumer.ack([self.held[consumer][other] for other in done])
        for other in done:
            self.waiting[self.held[consumer].pop(other).queue].remove(other)

    @precondition(lambda self: any(self.held.values()))
    @rule(data=st.data())
    def dead_letter(self, data):
        consumer, body = self.some_held(data)
        delivery = self.held[consumer].pop(body)
        consumer.dead_letter(delivery, "bad")
        self.note_dead_letters()
        assert body in self.dead

    @precondition(lambda self: self.consumers)
    @rule(data=st.data(), how=st.sampled_from(["close", "die"]))
    def leave(self, data, how):
        consumer = data.draw(st.sampled_from(self.consumers))
        if how == "die":  # as if its process had: it says nothing, and the others find out
            with self.bus.file.writing() as connection:
                connection.execute("UPDATE consumer SET born = 'before' WHERE id = ?", (consumer.number,))
            self.bus.reap_dead_consumers()
        else:
            consumer.close()
        self.consumers.remove(consumer)
        del self.held[consumer]

    @rule()
    def reopen(self):
        self.bus.close()
        self.consumers.clear()
        self.held.clear()
        self.bus = EmbeddedBus(self.folder / "bus.sqlite")

    @precondition(lambda self: self.dead)
    @rule()
    def requeue(self):
        letters = self.bus.dead_letters()
        assert self.bus.requeue([letter.id for letter in letters]) == len(letters)
        for letter in letters:  # it becomes the youngest of its queue
            body = int(letter.body)
            self.dead.remove(body)
            self.waiting[letter.queue].append(body)
            self.deliveries[body] = 0
        self.drain()

    @rule()
    def drain(self):
        """All that waits comes to one consumer when the others have gone, each message once."""
        self.reopen()
        with self.bus.consume(QUEUES) as consumer:
            came = defaultdict(list)
            while got := consumer.receive(max_messages=4, timeout_s=0):
                consumer.ack(got)
                for delivery in got:
                    came[delivery.queue].append(int(delivery.body))
        self.note_dead_letters()
        assert came == {queue: bodies for queue, bodies in self.waiting.items() if bodies}
        self.waiting.clear()
        self.latest.clear()

    def note_dead_letters(self):
        """Messages become dead letters when they were delivered too often, and never without need."""
        for letter in self.bus.dead_letters(limit=10_000):
            body = int(letter.body)
            if body not in self.dead:
                assert letter.deliveries == self.deliveries[body]
                assert letter.reason == "bad" or letter.deliveries == MAX_DELIVERIES
                self.dead.add(body)
                self.waiting[letter.queue].remove(body)

    @invariant()
    def the_status_agrees(self):
        in_hand = defaultdict(int)
        for held in self.held.values():
            for delivery in held.values():
                in_hand[delivery.queue] += 1
        for status in self.bus.status():
            assert status.unacked == in_hand[status.name]
            assert status.ready + status.unacked == len(self.waiting[status.name])

    def teardown(self):
        try:
            self.drain()
        finally:
            self.bus.close()
            shutil.rmtree(self.folder)


TestEmbeddedBusStates = EmbeddedBusStates.TestCase
TestEmbeddedBusStates.settings = examples(
    25, stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow]
)
