"""Which of the metric-data queues are a storer's own, as far as it can know: those of which it got messages."""

from __future__ import annotations

from collections.abc import Iterable

from htmengine.bus import Delivery
from htmengine.service.data_queues import DataQueues


class OwnQueues:
    """Learns from messages. One that another storer has taken meanwhile is still thought to be one's own."""

    def __init__(self, queues: DataQueues) -> None:
        self._queues = queues
        self._epochs: dict[str, int] = {}
        """By queue, since when it is this storer's."""

    def grow(self, deliveries: Iterable[Delivery]) -> bool:
        """Tell whether one of their queues was another storer's before, or nobody's."""
        epochs = {delivery.queue: delivery.epoch for delivery in deliveries}
        if epochs.items() <= self._epochs.items():
            return False
        self._epochs |= epochs
        return True

    @property
    def share(self) -> float:
        """How much of all samples comes here, about; all of them before anything came."""
        return len(self._epochs) / len(self._queues.stored) or 1.0

    def __contains__(self, name: object) -> bool:
        """Tell whether the samples of a name come here."""
        return not self._queues.parts or self._queues.of_name(str(name)) in self._epochs
