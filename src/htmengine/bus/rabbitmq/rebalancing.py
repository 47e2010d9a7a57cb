"""How consumers agree, when asked to, on who should have which queue.

Brokers before version 4 leave a queue with the consumer that has it until that goes away. `htmengine rebalance` asks all
consumers who they are, and tells everyone the names; then each subscribes anew, behind the others, to the queues that
another has a higher weight for.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from htmengine.bus.rabbitmq.channel import Channel, Properties, Publication, Publisher
from htmengine.foreign import visible

EXCHANGE_SUFFIX: Final = ".control"
ANSWERS_WITHIN_S: Final = 1.0

log = logging.getLogger(__name__)


def rendezvous_weight(node: str, queue: str) -> float:
    """Return a node's weight for a queue, 0 to 1: the node with the highest weight should have it (rendezvous hashing)."""
    return int.from_bytes(hashlib.sha256(f"{node}\0{queue}".encode()).digest()[:8]) / 2**64


class Question(msgspec.Struct, frozen=True, tag="who"):
    """Asks who consumes, and what."""

    answer_to: str


class Answer(msgspec.Struct, frozen=True, tag="member"):
    """A consumer: its node and its queues."""

    node: str
    queues: list[str]


class Roster(msgspec.Struct, frozen=True, tag="roster"):
    """By queue, the nodes that consume it."""

    nodes: dict[str, list[str]]


class Member:
    """The part of a consumer that answers questions and follows rosters."""

    def __init__(self, channel: Channel, application: str, node: str, queues: Sequence[str]) -> None:
        self._channel = channel
        self._node = node
        self._queues = list(queues)
        self._lock = threading.Lock()
        self._to_release: set[str] = set()
        exchange = declare(channel, application)
        own = channel.declare_own_queue()
        channel.ask(lambda raw, answer: raw.queue_bind(own, exchange, "", callback=answer))
        channel.consume(own, self._heard, lambda: None, prefetch=0, auto_ack=True)

    def to_release(self) -> set[str]:
        """Return the queues that another node should have, each once."""
        with self._lock:
            released, self._to_release = self._to_release, set()
        return released

    def _heard(self, _method: Any, _properties: Properties, body: bytes) -> None:
        message = _read(body, Question | Roster)
        if message is None:
            return
        if isinstance(message, Question):
            answer = msgspec.json.encode(Answer(node=self._node, queues=self._queues))
            self._channel.send(Publication("", message.answer_to, answer, Properties()))
            return
        released = {
            queue
            for queue in self._queues
            if rendezvous_owner(message.nodes, queue, self._node) != self._node
        }
        with self._lock:
            self._to_release = released


def rebalance(channel: Publisher, application: str) -> dict[str, int]:
    """Let every queue go to the consumer that should have it; return by node how many that are.

    What a consumer has in its hands it keeps until it has acknowledged it.
    """
    answers: list[Answer] = []
    exchange = declare(channel, application)
    own = channel.declare_own_queue()

    def heard(_method: Any, _properties: Properties, body: bytes) -> None:
        if answer := _read(body, Answer):
            answers.append(answer)

    channel.consume(own, heard, lambda: None, prefetch=0, auto_ack=True)
    channel.publish([Publication(exchange, "", msgspec.json.encode(Question(answer_to=own)), Properties())])
    time.sleep(ANSWERS_WITHIN_S)
    nodes: dict[str, list[str]] = defaultdict(list)
    for answer in sorted(answers, key=lambda answer: answer.node):
        for queue in answer.queues:
            nodes[queue].append(answer.node)
    channel.publish([Publication(exchange, "", msgspec.json.encode(Roster(nodes=dict(nodes))), Properties())])
    shares = Counter({answer.node: 0 for answer in answers})
    shares.update(rendezvous_owner(nodes, queue) for queue in nodes)
    return dict(sorted(shares.items()))


def _read(body: bytes, kind: Any) -> Any:
    """Return a message; None where it is another's, who may publish to this exchange, too."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        log.warning("rebalancing.foreign_message bytes=%d reason=%s", len(body), visible(str(error)))
        return None


def rendezvous_owner(nodes: Mapping[str, Sequence[str]], queue: str, default: str = "") -> str:
    """Return the node that should have a queue: the one with the highest weight."""
    return max(nodes.get(queue, [default]), key=lambda node: rendezvous_weight(node, queue))


def declare(channel: Channel, application: str) -> str:
    """Make the exchange that consumers listen to, and return its name."""
    exchange = application + EXCHANGE_SUFFIX
    channel.ask(lambda raw, answer: raw.exchange_declare(exchange, "fanout", durable=True, callback=answer))
    return exchange
