"""What models say, on its way to the anomaly service."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from htmengine.bus import Outgoing
from htmengine.messages import ModelOutput, Scores, encode_model_output, shard_of

OUTPUTS_PER_MESSAGE: Final = 500


def output_messages(outputs: Iterable[ModelOutput], queues: Sequence[str]) -> list[Outgoing]:
    """Return messages with these outputs, a shard's in their order; scores end a message, so that it is bounded.

    `queues`: by shard, that of its results.
    """
    open_: dict[int, list[ModelOutput]] = {}
    found = []

    def close(shard: int) -> None:
        found.append(Outgoing(queues[shard], encode_model_output(open_.pop(shard))))

    for output in outputs:
        uid = output.uids[0] if isinstance(output, Scores) else output.uid
        shard = shard_of(uid, len(queues))
        open_.setdefault(shard, []).append(output)
        if isinstance(output, Scores) or len(open_[shard]) == OUTPUTS_PER_MESSAGE:
            close(shard)
    for shard in list(open_):
        close(shard)
    return found
