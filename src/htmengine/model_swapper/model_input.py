"""Model input on its way to the models, gathered by shard."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from htmengine.bus import Outgoing
from htmengine.messages import (
    DefineModel,
    ModelCommand,
    ModelInput,
    Samples,
    encode_model_input,
    shard_of,
)
from htmengine.repository import samples
from htmengine.repository.metrics import MetricState
from htmengine.repository.status import MetricStatus

if TYPE_CHECKING:
    from sqlalchemy import Connection

SAMPLES_PER_MESSAGE: Final = 500
COMMANDS_PER_MESSAGE: Final = 500


class ModelInputBuilder:
    """Gathers commands and rows for the models: one message for each shard, and more where there are many."""

    def __init__(self, shards: int, queue: Callable[[int], str]) -> None:
        """`queue` names a shard's queue."""
        self._shards = shards
        self._queue = queue
        self._commands: dict[int, list[ModelInput]] = {}
        self._samples: dict[int, Samples] = {}

    def command(self, command: ModelCommand) -> None:
        """Add a command; a shard's commands come in this order, and before its rows."""
        self._commands.setdefault(shard_of(command.uid, self._shards), []).append(command)

    def add(self, uid: str, generation: int, rowid: int, timestamp: int, value: float, digest: int) -> None:
        """Add a row; a metric's rows come in the order of their rowids."""
        self._of(shard_of(uid, self._shards)).add(uid, generation, rowid, timestamp, value, digest)

    def add_rows(
        self,
        generations: Mapping[str, int],
        uids: Sequence[str],
        rowids: Sequence[int],
        timestamps: Sequence[int],
        values: Sequence[float],
        digests: Sequence[int],
    ) -> None:
        """Add rows, but for those of metrics that have no generation here."""
        targets = {uid: (shard_of(uid, self._shards), generation) for uid, generation in generations.items()}
        for uid, rowid, timestamp, value, digest in zip(
            uids, rowids, timestamps, values, digests, strict=True
        ):
            target = targets.get(uid)
            if target is not None:
                self._of(target[0]).add(uid, target[1], rowid, timestamp, value, digest)

    def _of(self, shard: int) -> Samples:
        """Return the samples of a shard so far, to add to."""
        samples = self._samples.get(shard)
        if samples is None:
            samples = self._samples[shard] = Samples.empty()
        return samples

    def messages(self, *, transient: bool = False) -> list[Outgoing]:
        """Return what was gathered as messages of a bounded size; whoever loses those that are transient asks again."""
        found = []
        for shard in sorted(self._commands.keys() | self._samples.keys()):
            commands = self._commands.get(shard, [])
            parts = [
                commands[first : first + COMMANDS_PER_MESSAGE]
                for first in range(0, len(commands), COMMANDS_PER_MESSAGE)
            ]
            rows = self._samples[shard].parts(SAMPLES_PER_MESSAGE) if shard in self._samples else []
            if parts and rows:
                parts[-1].append(rows.pop(0))
            parts += [[part] for part in rows]
            found += [Outgoing(self._queue(shard), encode_model_input(part), transient) for part in parts]
        return found


def requests(
    conn: Connection, states: Iterable[MetricState], shards: int, queue: Callable[[int], str]
) -> list[Outgoing]:
    """Return messages that ask for metrics: the model's definition where it is not confirmed, and the newest row.

    One row is enough: whoever owns the model reads those before it.
    """
    builder = ModelInputBuilder(shards, queue)
    asked = list(states)
    for state in asked:
        if state.status == MetricStatus.CREATE_PENDING:
            builder.command(
                DefineModel(command_id=uuid.uuid4().hex, uid=state.uid, generation=state.generation)
            )
    add_newest(builder, conn, asked)
    return builder.messages()


def add_newest(builder: ModelInputBuilder, conn: Connection, states: Iterable[MetricState]) -> None:
    """Add the newest row of each of these metrics that has a model and rows without scores."""
    behind = [state for state in states if state.is_lagging]
    newest = samples.newest(conn, [state.uid for state in behind])
    for state in behind:
        if row := newest.get(state.uid):
            builder.add(state.uid, state.generation, *row)
