"""Which of the metric-data queues are a storer's own, as far as it can know: those of which it got messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from htmengine.bus import Delivery
from htmengine.messages import part_of


class OwnQueues:
    """Learns from messages. One that another storer has taken meanwhile is still thought to be one's own."""

    def __init__(self, queues: Sequence[str]) -> None:
        """`queues`: that samples are divided among."""
        self._queues = queues
        self._epochs: dict[str, int] = {}
        """By queue, since when it is this storer's."""

    def knows(self, deliveries: Iterable[Delivery]) -> bool:
        """Tell whether none of their queues was another storer's before, or nobody's."""
        return _epochs(deliveries).items() <= self._epochs.items()

    def grow(self, deliveries: Iterable[Delivery]) -> bool:
        """Take note of their queues; return whether one of them was another storer's before, or nobody's."""
        epochs = _epochs(deliveries)
        if epochs.items() <= self._epochs.items():
            return False
        self._epochs |= epochs
        return True

    @property
    def share(self) -> float:
        """How much of all samples comes here, about; all of them before anything came."""
        return len(self._epochs) / len(self._queues) or 1.0

    def __contains__(self, name: object) -> bool:
        """Tell whether the samples of a name come here."""
        number = len(self._queues)
        return number == 1 or self._queues[part_of(str(name), number)] in self._epochs


def _epochs(deliveries: Iterable[Delivery]) -> dict[str, int]:
    return {delivery.queue: delivery.epoch for delivery in deliveries}
