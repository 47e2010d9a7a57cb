"""Messages on the bus. New fields get a default; old fields keep their name and type.

What applications see is JSON, as documented. What only our services see is MessagePack in columns: one list for each
field, one element for each sample, so that a batch over many metrics is decoded in one go.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar, cast

import msgspec

T = TypeVar("T")

_NO_CONTROLS: Final = "^[^\\x00-\\x20\\x7f]*$"

COMMAND_RESULT_TYPE: Final = "model-cmd-result"
"""Value of the header `dataType` of a command's result on the results exchange."""


class MalformedMessage(ValueError):
    """A message's body is not what its queue carries. It goes to the dead letters; its neighbours do not."""


def shard_of(uid: str, shards: int) -> int:
    """Return the shard that a metric belongs to, 0 to `shards` - 1. The one place where this is computed."""
    return zlib.crc32(uid.encode()) % shards


def part_of(name: str, parts: int) -> int:
    """Return which of the metric-data queues samples of a name wait in, 0 to `parts` - 1. The one place where this is computed.

    Names differ in few characters, so that a checksum would put most of them into the same queues.
    """
    digest = hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) % parts


# -- The metric-data queue: JSON, as documented; applications publish here too.


class Backfill(msgspec.Struct, frozen=True, kw_only=True):
    """Marks lines that belong to a backfill: live samples of the metric wait until it is done."""

    metric: Annotated[str, msgspec.Meta(pattern=_NO_CONTROLS, min_length=1, max_length=255)]
    token: Annotated[str, msgspec.Meta(pattern=_NO_CONTROLS, min_length=1, max_length=40)]
    """One for each run of a backfill, so that a second run of the same metric differs from the first."""
    done: bool = False
    """The last message of the backfill."""


class MetricLines(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of the plaintext protocol, `name value timestamp`, in the order in which they came."""

    protocol: str
    data: list[str]
    backfill: Backfill | None = None
    accepted_at: float | None = None
    """When these lines came in, by the clock of whoever accepted them, in seconds since the epoch; None where that is not
    told. What lies too far in the future goes by it: the queue, or another machine's clock, must not change that."""
    door: str | None = None
    """By which they came in, as `htmengine.doors.door_names` has it; None from applications. Refusals are counted by it."""
    peers: list[tuple[int, str]] = []
    """Who sent them: so many lines came from this address, then so many from that one. Empty where it is not known."""


# -- The shard queues, model input: MessagePack, any number of these in a message.

Digest = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class _Columns(msgspec.Struct, frozen=True, kw_only=True):
    if TYPE_CHECKING:

        @property
        def digests(self) -> list[int]: ...

    def __post_init__(self) -> None:
        if not self.digests:  # earlier versions gave none
            msgspec.structs.force_setattr(self, "digests", [0] * len(self))
        lengths = {
            len(column) for name in self.__struct_fields__ if isinstance(column := getattr(self, name), list)
        }
        if len(lengths) > 1:
            raise ValueError(f"columns of {sorted(lengths)} elements")

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(cast("list[Any]", getattr(self, self.__struct_fields__[0])))


class Samples(_Columns, frozen=True, kw_only=True, tag="samples"):
    """Samples to score, of any number of metrics of one shard; a metric's samples in the order of their rowids."""

    uids: list[str]
    generations: list[int]
    rowids: list[int]
    timestamps: list[int]
    """Seconds since the Unix epoch, UTC."""
    values: list[float]
    digests: list[Digest] = []
    """Of the metric's samples up to each: `htmengine.repository.identity`. 0 where it is not known."""

    @classmethod
    def empty(cls) -> Samples:
        """Return no samples, to add to."""
        return cls(uids=[], generations=[], rowids=[], timestamps=[], values=[], digests=[])

    def add(self, uid: str, generation: int, rowid: int, timestamp: int, value: float, digest: int) -> None:
        """Add a sample."""
        self.uids.append(uid)
        self.generations.append(generation)
        self.rowids.append(rowid)
        self.timestamps.append(timestamp)
        self.values.append(value)
        self.digests.append(digest)

    def extend(
        self,
        uids: Sequence[str],
        generations: Sequence[int],
        rowids: Sequence[int],
        timestamps: Sequence[int],
        values: Sequence[float],
        digests: Sequence[int],
    ) -> None:
        """Add samples, given in columns."""
        self.uids.extend(uids)
        self.generations.extend(generations)
        self.rowids.extend(rowids)
        self.timestamps.extend(timestamps)
        self.values.extend(values)
        self.digests.extend(digests)

    def parts(self, size: int) -> list[Samples]:
        """Return the samples in parts of this size at most, in their order."""
        columns = [getattr(self, name) for name in self.__struct_fields__]
        return [
            Samples(
                **{
                    name: column[first : first + size]
                    for name, column in zip(self.__struct_fields__, columns, strict=True)
                }
            )
            for first in range(0, len(self), size)
        ]


class DefineModel(msgspec.Struct, frozen=True, kw_only=True, tag="defineModel"):
    """Make the model that the repository describes for this metric and generation. Safe to repeat."""

    command_id: str
    uid: str
    generation: int


class DeleteModel(msgspec.Struct, frozen=True, kw_only=True, tag="deleteModel"):
    """Drop the model of this generation and of all before it, with its checkpoints. Safe to repeat."""

    command_id: str
    uid: str
    generation: int


class CloneModel(msgspec.Struct, frozen=True, kw_only=True, tag="cloneModel"):
    """Give another metric a copy of this model. Safe to repeat."""

    command_id: str
    uid: str
    generation: int
    new_uid: str
    new_generation: int


ModelCommand = DefineModel | DeleteModel | CloneModel
ModelInput = Samples | ModelCommand


# -- The results queues: MessagePack, any number of these in a message.


class Why(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Why a sample alarms: what the model says on demand, in short; see `htmengine.htm.explanation.Explanation`."""

    cause: str
    """In what respect the sample is unusual: sequence, jump, extreme, distance, error, offset or unrest."""
    channel: str
    """sequence, jump, extreme or deviation."""
    forecast: float | None
    """Value that was expected; None for a metric's first sample."""
    usual: tuple[float, float] | None
    """Lowest and highest value of 99 in 100; None on probation."""
    foreseen: list[tuple[float, float]]
    """Ranges of values that the memory had foreseen."""
    alarms_before: int
    last_alarm: float | None
    """Seconds since the epoch; None if there was none."""


class Scores(_Columns, frozen=True, kw_only=True, tag="scores"):
    """Scored samples, of any number of metrics of one shard; a metric's in the order of their rowids.

    All scores lie between 0 and 1; what each means: `htmengine.htm.model.Scores`.
    """

    uids: list[str]
    generations: list[int]
    rowids: list[int]
    timestamps: list[int]
    values: list[float]
    digests: list[Digest] = []
    """Of the metric's samples up to each and of the model: `htmengine.repository.identity`. 0 where it is not known."""
    raw_anomaly_scores: list[float]
    anomaly_scores: list[float]
    log_scores: list[float]
    sequence_scores: list[float]
    novelty_scores: list[float]
    forecasts: list[float] | None = None
    """What was expected of each, and between which values 99 of 100 lie; 32-bit floats. NaN where it is not known yet.
    None, as for `one_in`, for models that tell none of it."""
    usual_lows: list[float] | None = None
    usual_highs: list[float] | None = None
    one_in: list[float] | None = None
    """One in how many samples of the metric is as unusual. NaN where it is not known yet."""
    predictions: list[dict[str, float] | None] | None = None
    """Best prediction by number of steps ahead, for models that were asked for it."""
    why: list[Why | None] | None = None
    """Of the samples that alarm."""
    silenced: list[int] | None = None
    """The number of the label by which a sample does not alarm; 0 for all others. None where there is no such sample."""


class CommandResult(msgspec.Struct, frozen=True, kw_only=True, tag="commandResult"):
    """The result of a command."""

    command_id: str
    method: str
    uid: str
    generation: int
    status: int
    """Of `htmengine.htmengineerrno`."""
    error_message: str | None = None


class ModelFailure(msgspec.Struct, frozen=True, kw_only=True, tag="modelFailure"):
    """A model cannot go on; its metric's status becomes ERROR with this message."""

    uid: str
    generation: int
    error_message: str


ModelOutput = Scores | CommandResult | ModelFailure


# -- The results exchange, one message for each metric: JSON compressed with zlib, as documented.


class ResultMetric(msgspec.Struct, frozen=True, kw_only=True):
    """The metric of a results message."""

    uid: str
    name: str
    description: str | None
    resource: str | None
    location: str | None
    datasource: str
    spec: dict[str, Any]
    """`metricSpec` as it was given to `monitorMetric`."""


class ResultRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One scored sample of a results message."""

    rowid: int
    ts: float
    value: float
    raw_anomaly: float
    anomaly: float
    multi_step_best_predictions: dict[str, float] | None = None


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """Scored samples of one metric."""

    metric: ResultMetric
    results: list[ResultRow]


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was defined."""

    metric_name: str
    resource: str | None
    model_spec: dict[str, Any]


class PublishedCommandResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A command's result, with the header `dataType` = COMMAND_RESULT_TYPE."""

    method: str
    model_id: str
    command_id: str
    status: int
    error_message: str | None
    model_info: ModelInfo | None = None


# -- The exchange of batches, beside the documented one: JSON, many metrics in one message.


class BatchRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One scored sample with everything that is known of it."""

    uid: str
    name: str
    rowid: int
    ts: int
    value: float
    raw_anomaly: float
    anomaly: float
    log_score: float
    sequence_score: float
    novelty_score: float
    forecast: float | None = None
    """What was expected. This, and the two below, are None where the model does not know yet, or tells none."""
    usual: tuple[float, float] | None = None
    """Between these 99 of 100 values lie."""
    one_in: float | None = None
    """One in how many samples of the metric is as unusual. None, too, where a sample that does not alarm is published
    again."""
    multi_step_best_predictions: dict[str, float] | None = None
    why: Why | msgspec.UnsetType = msgspec.UNSET
    """Of a sample that alarms."""


class ResultsBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Scored samples of any number of metrics; a metric's in the order of their rowids."""

    rows: list[BatchRow]


# A single one not in a list is what earlier versions wrote; it may still wait in a queue.
_INPUT_DECODER: Final[msgspec.msgpack.Decoder[list[ModelInput] | ModelInput]] = msgspec.msgpack.Decoder(
    list[ModelInput] | ModelInput
)
_OUTPUT_DECODER: Final[msgspec.msgpack.Decoder[list[ModelOutput] | ModelOutput]] = msgspec.msgpack.Decoder(
    list[ModelOutput] | ModelOutput
)
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What a decoder raises for a body; the last where lists lie in lists without end."""
_PACK: Final = msgspec.msgpack.Encoder()
_JSON: Final = msgspec.json.Encoder()


def encode_json(message: MetricLines | ResultsBatch) -> bytes:
    """Return the body of a message that applications see uncompressed."""
    return _JSON.encode(message)


def encode_compressed(message: Results | PublishedCommandResult) -> bytes:
    """Return the body of a message on the documented results exchange."""
    return zlib.compress(_JSON.encode(message))


def decode_compressed(body: bytes, kind: type[T]) -> T:
    """Return the message in a body from the documented results exchange. Raises MalformedMessage."""
    try:
        return msgspec.json.decode(zlib.decompress(body), type=kind)
    except (*_UNREADABLE, zlib.error) as error:
        raise MalformedMessage(f"not a {kind.__name__} message: {error}") from error


def decode_metric_lines(body: bytes) -> MetricLines:
    """Return the message in a body from the metric-data queue. Raises MalformedMessage."""
    try:
        return msgspec.json.decode(body, type=MetricLines)
    except _UNREADABLE as error:
        raise MalformedMessage(f"not lines of metric data: {error}") from error


def decode_results_batch(body: bytes) -> ResultsBatch:
    """Return the message in a body from the exchange of batches. Raises MalformedMessage."""
    try:
        return msgspec.json.decode(body, type=ResultsBatch)
    except _UNREADABLE as error:
        raise MalformedMessage(f"not a batch of results: {error}") from error


def encode_model_input(inputs: Sequence[ModelInput]) -> bytes:
    """Return the body of a message on a shard's model input queue."""
    return _PACK.encode(inputs)


def decode_model_input(body: bytes) -> list[ModelInput]:
    """Return what is in a message from a shard's model input queue, in its order. Raises MalformedMessage."""
    try:
        decoded = _INPUT_DECODER.decode(body)
    except _UNREADABLE as error:
        raise MalformedMessage(f"not model input: {error}") from error
    return decoded if isinstance(decoded, list) else [decoded]


def encode_model_output(outputs: Sequence[ModelOutput]) -> bytes:
    """Return the body of a message on a results queue."""
    return _PACK.encode(outputs)


def encode_why(why: Why) -> str:
    """Return why a sample alarms as the repository keeps it: as it is published."""
    return _JSON.encode(why).decode()


def decode_why(text: str) -> Why:
    """Return why a sample alarms from what the repository keeps. Raises MalformedMessage."""
    try:
        return msgspec.json.decode(text, type=Why)
    except _UNREADABLE as error:
        raise MalformedMessage(f"not a reason of an alarm: {error}") from error


def decode_model_output(body: bytes) -> list[ModelOutput]:
    """Return what is in a message from a results queue, in its order. Raises MalformedMessage."""
    try:
        decoded = _OUTPUT_DECODER.decode(body)
    except _UNREADABLE as error:
        raise MalformedMessage(f"not model output: {error}") from error
    return decoded if isinstance(decoded, list) else [decoded]
