"""One metric's model: samples go in, scores come out, the state is one block of bytes."""

from __future__ import annotations

import math
import struct
import sys
import zlib
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from htmengine.htm import _kernels, params
from htmengine.htm.arrays import FloatArray, reals
from htmengine.htm.build import build_model
from htmengine.htm.explanation import ALARM, Explanation, Scores, SeriesScores
from htmengine.htm.real_numbers import real

PARAMETERS_KEPT: Final = 256
"""Most blocks of an installation have the same ones."""


class OutOfOrderSample(ValueError):
    """A timestamp lies before the one of the sample before it."""


class UnreadableModel(ValueError):
    """A block of bytes is not a model that this version can read."""


class Block(NamedTuple):
    """What a block says of its model, and the state."""

    parameters: params.Parameters
    generation: int
    rows: int
    packed: bool
    state: memoryview

    @classmethod
    def read(cls, block: bytes, *, check: bool = True) -> Block:
        """Return what a block says. Raises UnreadableModel; without `check`, damage is not looked for."""
        return _unpack(block, check=check)


class Model:
    """A model that learns from every sample that it scores.

    Its scores are a function of the parameters and the samples in their order, and of nothing else: not of how the
    samples are split over calls, of the machine, or of how often the model was saved and loaded in between.

    Scoring holds no interpreter lock, so use a model from one thread at a time; different models may be used side by
    side.

    Parameters
    ----------
    parameters : what `htmengine.htm.params.parameter_set` gives.
    generation : number that the owner gives the model, kept in its block; 0 to 2**32 - 1.

    Raises
    ------
    ValueError : a parameter or the generation is out of range.

    References
    ----------
    Ahmad, Lavin, Purdy, Agha (2017), "Unsupervised real-time anomaly detection for streaming data",
    Neurocomputing 262, doi:10.1016/j.neucom.2017.04.070
    """

    def __init__(self, parameters: params.Parameters, *, generation: int = 0) -> None:
        if not 0 <= generation < 2**32:
            raise ValueError(f"generation {generation} is not within 0 and 2**32 - 1")
        self.parameters = parameters
        self.generation = generation
        self.kernel = build_model(parameters)

    @property
    def rows(self) -> int:
        """Samples taken so far, those without a value included: the rowid of the last one."""
        return self.kernel.rows

    @property
    def prediction_steps(self) -> tuple[int, ...]:
        """How many samples ahead it predicts; empty if the parameters ask for no predictions."""
        return () if self.parameters.classifier is None else self.parameters.classifier.steps

    @property
    def last_timestamp(self) -> float:
        """Timestamp of the last sample taken, in seconds since the epoch; -inf before the first."""
        return self.kernel.last_timestamp

    def score_one(self, timestamp: float | datetime | np.datetime64, value: float) -> Scores:
        """Score one sample and learn from it.

        Parameters
        ----------
        timestamp : seconds since the Unix epoch, UTC, or a datetime or datetime64, in UTC where it has no zone; not
            before the last sample's. It may repeat.
        value : in the metric's own unit. NaN or an infinity marks a missing sample: all scores are NaN, nothing is
            learned. Values beyond 1e300 count as 1e300.

        Raises
        ------
        OutOfOrderSample : the timestamp goes back; the model has not changed.
        ValueError : the timestamp is not finite; the model has not changed.
        TypeError : the timestamp is something else, or the value no real number; the model has not changed.
        """
        scores = self.score_series(np.array([timestamp]), [value])
        return Scores(*(float(column[0]) for column in scores))

    def score_series(self, timestamps: ArrayLike, values: ArrayLike) -> SeriesScores:
        """Score a series, one sample at a time, exactly as `score_one` would.

        Parameters
        ----------
        timestamps : shape (n,). Seconds since the Unix epoch, UTC, or datetime or datetime64, in UTC where they have
            no zone; never decreasing, also not from call to call. Any spacing will do; equal ones are taken in the
            order given.
        values : shape (n,), in the metric's own unit. NaN or an infinity marks a missing sample.

        Returns
        -------
        Arrays of shape (n,); NaN where the value was missing.

        Raises
        ------
        OutOfOrderSample : at the first timestamp that goes back; the model has learned all before it.
        ValueError : shapes differ, or a timestamp is not finite; the model has not changed.
        TypeError : the timestamps are something else, or the values no real numbers; the model has not changed.
        """
        return self.score_and_predict(timestamps, values)[0]

    def score_and_predict(
        self, timestamps: ArrayLike, values: ArrayLike
    ) -> tuple[SeriesScores, dict[int, FloatArray]]:
        """Score a series as `score_series` does, and return the predictions made on the way, too.

        Returns
        -------
        The scores; and by number of samples ahead an array of shape (n,): at each sample the likeliest value so many
        samples with a value later, in the metric's own unit. NaN where the value was missing. An empty dictionary if
        the parameters have no classifier.

        Raises
        ------
        As `score_series`.
        """
        scores, predictions, _ = self._score(timestamps, values)
        return scores, predictions

    def score_and_explain(
        self, timestamps: ArrayLike, values: ArrayLike, *, threshold: float = ALARM
    ) -> tuple[SeriesScores, dict[int, Explanation]]:
        """Score a series as `score_series` does, and explain the samples that are unusual.

        Parameters
        ----------
        timestamps, values : as for `score_series`.
        threshold : log score from which a sample is explained. An explanation takes as long as some ten samples.

        Returns
        -------
        The scores; and by place in the series, from 0, the explanations, as `explain` gives them after that sample. An
        empty dictionary if the parameter set is one of NuPIC's.

        Raises
        ------
        As `score_series`.
        """
        scores, _, explanations = self._score(timestamps, values, explain_from=threshold)
        return scores, {place: Explanation.of(found) for place, found in explanations}

    def explain(self) -> Explanation | None:
        """Return why the sample that was scored last got its scores.

        None before the first sample, and if the parameter set is one of NuPIC's.
        """
        found = self.kernel.explain()
        return None if found is None else Explanation.of(found)

    def _score(
        self, timestamps: ArrayLike, values: ArrayLike, explain_from: float = math.inf
    ) -> tuple[SeriesScores, dict[int, FloatArray], list[tuple[int, _kernels.Explanation]]]:
        times, series = checked_series(timestamps, values)
        scores, predictions, outcomes, explanations = self.kernel.score_series(times, series, explain_from)
        if len(outcomes) < len(times):
            raise OutOfOrderSample(
                f"sample {len(outcomes)}: timestamp {times[len(outcomes)]:.6f} lies before the last one, "
                f"{self.last_timestamp:.6f}"
            )
        return (
            SeriesScores(*scores.T),
            dict(zip(self.prediction_steps, predictions.T, strict=True)),
            explanations,
        )

    def save(self) -> bytes:
        """Return the model as one block of bytes.

        The block holds the parameters too, so `load` needs nothing else. Its size is bounded by the parameters.
        """
        return _pack(parameters_in_block(self.parameters), self.generation, self.rows, self.kernel.save())

    def pack(self) -> bytes:
        """Return the model as a block of fewer bytes, which needs no compression.

        Models of other parameters than the default model's cannot be packed; of these it is what `save` returns.
        """
        if not self.kernel.packs:
            return self.save()
        return _pack(
            parameters_in_block(self.parameters), self.generation, self.rows, self.kernel.pack(), packed=True
        )

    @classmethod
    def load(cls, block: bytes) -> Model:
        """Return the model that a block holds, packed or not. It goes on as if it had never stopped, bit for bit.

        Raises
        ------
        UnreadableModel : the block is damaged, not a model, or of a version that this one does not read.
        """
        return cls.of(Block.read(block))

    @classmethod
    def of(cls, block: Block) -> Model:
        """Return the model of a block that was read. Raises as `load` does."""
        model = cls(block.parameters, generation=block.generation)
        try:
            if block.packed:
                if not model.kernel.packs:
                    raise UnreadableModel("model block: packed, as no model of its parameters is")
                model.kernel.unpack(np.frombuffer(block.state, dtype=np.uint8))
            else:
                model.kernel.load(bytes(block.state))
        except _kernels.StateError as error:
            raise UnreadableModel(f"model block: its state does not fit its parameters: {error}") from error
        rows = block.rows
        if model.rows != rows:
            raise UnreadableModel(f"model block: header says {rows} rows, state says {model.rows}")
        if not math.isfinite(model.last_timestamp) if rows else model.last_timestamp != -math.inf:
            raise UnreadableModel(f"model block: the last timestamp of {rows} rows is {model.last_timestamp}")
        return model

    @classmethod
    def around(cls, kernel: _kernels.Model, parameters: params.Parameters, generation: int) -> Model:
        """Return the model whose state a kernel holds, which was built from these parameters."""
        model = cls.__new__(cls)
        model.parameters, model.generation, model.kernel = parameters, generation, kernel
        return model


def checked_series(timestamps: ArrayLike, values: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return both as contiguous arrays of one length; raise ValueError when they cannot be a series, TypeError when they are no numbers."""
    times = np.ascontiguousarray(_seconds(np.asarray(timestamps)))
    series = reals(values)
    if times.ndim != 1 or times.shape != series.shape:
        raise ValueError(
            f"timestamps and values must be two series of one length, not of shapes {times.shape} and {series.shape}"
        )
    bad = np.flatnonzero(~np.isfinite(times))
    if bad.size:
        raise ValueError(f"sample {bad[0]}: timestamp {times[bad[0]]} is not a number of seconds")
    return times, series


def _seconds(timestamps: npt.NDArray[Any]) -> FloatArray:
    """Return seconds since the epoch, of numbers that are such, of datetime64 or of datetime; without zone it is UTC."""
    kind = timestamps.dtype.kind
    if kind == "M":
        whole = timestamps.astype("datetime64[s]")
        # Apart, since nanoseconds since the epoch need more digits than a float has.
        seconds: FloatArray = whole.astype(np.int64) + (timestamps - whole) / np.timedelta64(1, "s")
        return seconds
    if kind == "O":
        return np.array([_second(moment) for moment in timestamps.flat]).reshape(timestamps.shape)
    try:
        return reals(timestamps)
    except TypeError:
        raise TypeError(f"timestamps must be {_TIMES}, not {timestamps.dtype.type.__name__}") from None


def _second(moment: Any) -> float:
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    try:
        second = real(moment)
    except TypeError:
        raise TypeError(f"timestamps must be {_TIMES}, not {type(moment).__name__}") from None
    return second if abs(second) < sys.float_info.max else math.inf  # an integer that no float can be


_TIMES: Final = "seconds since the epoch, datetime or datetime64"

# A block: header, parameters as JSON in their short form, state of the kernel. Little-endian.
_MAGIC: Final = b"HTMm"
_LAYOUT: Final = 5
_PACKED: Final = b"HTMp"
_PACKED_LAYOUT: Final = 1
# magic, layout, generation, rows, digest of the parameters, lengths of parameters and state, checksum of all other bytes:
# CRC-32, or of a packed block the kernels' own, which costs a tenth of that
_HEADER: Final = struct.Struct("<4sIIQ16sQQI")


def is_packed(block: bytes) -> bool:
    """Tell whether a block is a packed one."""
    return block.startswith(_PACKED)


def _pack(
    parameters: tuple[bytes, bytes], generation: int, rows: int, state: bytes, *, packed: bool = False
) -> bytes:
    text, digest = parameters
    body = text + state
    begin = (_PACKED, _PACKED_LAYOUT) if packed else (_MAGIC, _LAYOUT)
    fields = (*begin, generation, rows, digest, len(text), len(state))
    return _HEADER.pack(*fields, _checksum(fields, body)) + body


def _checksum(fields: tuple[Any, ...], body: bytes | memoryview) -> int:
    """Return the checksum of a block's other bytes."""
    begin = zlib.crc32(_HEADER.pack(*fields, 0))
    if fields[0] == _PACKED:
        return _kernels.checksum(np.frombuffer(body, dtype=np.uint8), begin) & 0xFFFF_FFFF
    return zlib.crc32(body, begin)


def parameters_in_block(parameters: params.Parameters) -> tuple[bytes, bytes]:
    """Return parameters as blocks have them, and their digest."""
    if isinstance(parameters, params.DefaultParametersV1):
        # Written out, so that a release that knows no other version reads it, too.
        return parameters.to_json(), parameters.digest()
    return msgspec.json.encode(params.to_short_form(parameters), order="sorted"), parameters.digest()


def packed_block(parameters: tuple[bytes, bytes], generation: int, rows: int, state: bytes) -> bytes:
    """Return the block of a model whose kernel is packed; its parameters as `parameters_in_block` gives them."""
    return _pack(parameters, generation, rows, state, packed=True)


def _unpack(block: bytes, *, check: bool) -> Block:
    if len(block) < _HEADER.size:
        raise UnreadableModel(f"model block: {len(block)} bytes are less than a header")
    *fields, checksum = _HEADER.unpack_from(block)
    magic, layout, generation, rows, digest, parameters_size, state_size = fields
    if magic not in (_MAGIC, _PACKED):
        raise UnreadableModel(f"model block: begins with {magic!r}, not with {_MAGIC!r} or {_PACKED!r}")
    readable = _LAYOUT if magic == _MAGIC else _PACKED_LAYOUT
    if layout != readable:
        raise UnreadableModel(f"model block: layout {layout}; this version reads layout {readable} only")
    body = memoryview(block)[_HEADER.size :]
    if len(body) != parameters_size + state_size:
        raise UnreadableModel(
            f"model block: {len(block)} bytes where {_HEADER.size + parameters_size + state_size} belong"
        )
    if check and _checksum(tuple(fields), body) != checksum:
        raise UnreadableModel("model block: damaged, its checksum does not match")
    parameters, parameters_digest = _parameters_of(bytes(body[:parameters_size]))
    if parameters_digest != digest:
        raise UnreadableModel("model block: its parameters mean something else in this version")
    return Block(parameters, generation, rows, magic == _PACKED, body[parameters_size:])


@lru_cache(PARAMETERS_KEPT)
def _parameters_of(text: bytes) -> tuple[params.Parameters, bytes]:
    """Return the parameters of a block, and their digest."""
    try:
        parameters = params.from_short_form(msgspec.json.decode(text))
    except ValueError as error:
        raise UnreadableModel(f"model block: parameters of another version: {error}") from error
    return parameters, parameters.digest()
