"""Twin of the kernel that packs rows, and of what deflates them (`htmengine.repository.embedded.blocks`).

A column is reduced to numbers that say little: times to differences of differences, values to whole numbers of their last
decimal, a few different scores to places in a list; what follows from other columns is left out. Where numbers are not as
foreseen, a column becomes larger, never wrong: each says how it is read. Then the bytes of an array are put together by their
place in the number, and those with any order are deflated; noise, of which the lower bytes of scores consist, is not tried.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from htmengine.htm import _kernels
from htmengine.repository import display, identity

Array = npt.NDArray[Any]
Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Columns = Mapping[str, Any]

FORMAT: Final = 1
"""The first byte of a block."""
NULL: Final = -1
"""In place of a digest that is NULL: digests are not negative."""

_HEAD: Final = struct.Struct("<BIH")
"""Format, size of what is deflated, and how much of that describes the columns."""
_LEVEL: Final = 6
_NOISE: Final = 0.8
"""Bytes are noise if they have more than this share of the different values that so many random bytes have."""
_TYPES: Final = tuple(map(np.dtype, ("<i1", "<i2", "<i4", "<i8", "<u1")))
_LARGE: Final = 3
_BYTE: Final = 4
_MAX_DECIMALS: Final = 6
_MAX_WHOLE: Final = float(1 << 53)
_SHARE: Final = 0.4
"""Of what the channels find, this is left in the log score of a row that does not alarm (default_model.cpp)."""


def encode(columns: Columns) -> bytes:
    """Return rows as a block.

    Parameters
    ----------
    columns : all of COLUMNS, of equal length, at least one row: int64 for `time` and `digest`, for the predictions a list of
        text or None, float64 for the others; NaN is NULL.
    """
    writer = _Writer()
    described = []
    with np.errstate(all="ignore"):  # what does not fit is not used
        for name, codec in _CODECS.items():
            begin = len(writer.arrays)
            how = codec.encode(name, columns, writer)
            described.append([how, writer.arrays[begin:]])
    description = msgspec.msgpack.encode(described)
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = deflate.compress(b"".join([description, *writer.planes])) + deflate.flush()
    return b"".join([_HEAD.pack(FORMAT, len(body), len(description)), body, *writer.noise])


class _Writer:
    """Takes arrays into a block."""

    def __init__(self) -> None:
        self.arrays: list[tuple[int, int, int]] = []
        """Of each its type, its length, and which of its planes are noise: a bit of each."""
        self.planes: list[bytes] = []
        self.noise: list[bytes] = []

    def add(self, numbers: Array, kind: int) -> None:
        length = len(numbers)
        planes = numbers.astype(_TYPES[kind]).view(np.uint8).reshape(length, -1).T.tobytes()
        random = 256.0 * (1.0 - (255.0 / 256.0) ** length)
        noisy = 0
        for place in range(_TYPES[kind].itemsize):
            plane = planes[place * length : (place + 1) * length]
            if length > 8 and len(set(plane)) > _NOISE * random:
                noisy |= 1 << place
                self.noise.append(plane)
            else:
                self.planes.append(plane)
        self.arrays.append((kind, length, noisy))

    def integers(self, numbers: Integers) -> list[int]:
        """Add whole numbers, or their differences if these are smaller; return what the differences begin with."""
        begins: list[int] = []
        while len(numbers) > 1 and len(begins) < 2:
            steps = np.diff(numbers)
            if _size(steps) >= _size(numbers):
                break
            begins.append(int(numbers[0]))
            numbers = steps
        self.add(numbers, _width(numbers))
        return begins

    def floats(self, numbers: Floats) -> Any:
        """Add numbers; return how they are read."""
        is_null = np.isnan(numbers)
        if not is_null.any():
            return self._known(numbers)
        if is_null.all():
            return ["null", len(numbers)]
        self.add(np.packbits(is_null), _BYTE)
        return ["some", len(numbers), self._known(numbers[~is_null])]

    def _known(self, numbers: Floats) -> Any:
        bits = numbers.view(np.int64)
        if (bits == bits[0]).all():
            return ["same", len(bits), int(bits[0])]
        if found := _decimals(numbers):
            decimals, whole = found
            return ["decimals", decimals, self.integers(whole)]
        some = bits[:: len(bits) // 64 + 1].tolist()
        if len(set(some)) <= len(some) // 2:
            different, places = np.unique(bits, return_inverse=True)
            if len(different) <= min(len(bits) // 4, 256):
                self.add(different, _LARGE)
                self.add(places, _BYTE)
                return ["few"]
        single = numbers.astype(np.float32)
        if np.array_equal(single.astype(np.float64).view(np.int64), bits):
            return ["single", self.integers(_ordered(single))]
        self.add(bits, _LARGE)
        return ["bits"]


class Block:
    """Rows as `encode` has packed them; columns are unpacked as they are asked for."""

    def __init__(self, block: bytes) -> None:
        """Take the bytes. Raises ValueError where they are of another format, or damaged."""
        version, size, described = _HEAD.unpack_from(block)
        if version != FORMAT:
            raise ValueError(f"a block of rows has the format {version}, which this version does not know")
        try:
            body = zlib.decompress(memoryview(block)[_HEAD.size : _HEAD.size + size], -zlib.MAX_WBITS)
            columns = msgspec.msgpack.decode(body[:described])
        except (zlib.error, msgspec.DecodeError) as error:
            raise ValueError(f"a block of rows is damaged: {error}") from error
        self._planes = body[described:]
        self._noise = block[_HEAD.size + size :]
        self._columns: dict[str, Any] = {}
        self._described = {}
        at = at_noise = 0
        for name, (how, arrays) in zip(COLUMNS, columns, strict=True):
            self._described[name] = how, arrays, at, at_noise
            for kind, length, noisy in arrays:
                at += length * (_TYPES[kind].itemsize - noisy.bit_count())
                at_noise += length * noisy.bit_count()
        if at != len(self._planes) or at_noise != len(self._noise):
            raise ValueError("a block of rows is damaged: it has another size")

    def column(self, name: str) -> Any:
        """Return a column, one of COLUMNS, as it was given to `encode`."""
        if name not in self._columns:
            how, arrays, at, at_noise = self._described[name]
            found = self._arrays(arrays, at, at_noise)
            with np.errstate(all="ignore"):
                self._columns[name] = _CODECS[name].decode(how, found, self.column)
        return self._columns[name]

    def _arrays(self, arrays: list[Any], at: int, at_noise: int) -> Iterator[Array]:
        for kind, length, noisy in arrays:
            planes = np.empty((length, _TYPES[kind].itemsize), np.uint8)
            for place in range(planes.shape[1]):
                if noisy >> place & 1:
                    planes[:, place] = np.frombuffer(self._noise, np.uint8, length, at_noise)
                    at_noise += length
                else:
                    planes[:, place] = np.frombuffer(self._planes, np.uint8, length, at)
                    at += length
            yield planes.view(_TYPES[kind])[:, 0]


def _integers(begins: list[int], arrays: Iterator[Array]) -> Integers:
    numbers = next(arrays).astype(np.int64)
    for begin in reversed(begins):
        numbers = np.cumsum(np.concatenate([[begin], numbers]), dtype=np.int64)
    return numbers


def _floats(how: Any, arrays: Iterator[Array]) -> Floats:
    kind, *others = how
    if kind == "null":
        return np.full(others[0], np.nan)
    if kind == "some":
        length, known = others
        is_null = np.unpackbits(next(arrays), count=length).astype(bool)
        numbers = np.full(length, np.nan)
        numbers[~is_null] = _floats(known, arrays)
        return numbers
    if kind == "same":
        return np.full(others[0], others[1], np.int64).view(np.float64)
    if kind == "decimals":
        return _of_decimals(_integers(others[1], arrays), others[0])
    if kind == "few":
        different = next(arrays)
        return different[next(arrays)].view(np.float64)
    if kind == "single":
        return _of_ordered(_integers(others[0], arrays)).astype(np.float64)
    return next(arrays).view(np.float64)


def _decimals(numbers: Floats) -> tuple[int, Integers] | None:
    """Return by how many decimals numbers are exact, and the whole numbers of the last one; None if by none."""
    if not (np.abs(numbers) * 10.0**_MAX_DECIMALS < _MAX_WHOLE).all():
        most = 0 if (np.abs(numbers) < _MAX_WHOLE).all() else -1
    else:
        most = _MAX_DECIMALS
    bits = numbers.view(np.int64)
    some = numbers[
        :: len(numbers) // 8 + 1
    ].tolist()  # in passing: most columns have more digits, which a few tell
    for decimals in range(most + 1):
        if all(round(number * 10.0**decimals) / 10.0**decimals == number for number in some):
            whole = np.rint(numbers * 10.0**decimals).astype(np.int64)
            if (_of_decimals(whole, decimals).view(np.int64) == bits).all():
                return decimals, whole
    return None


def _of_decimals(whole: Integers, decimals: int) -> Floats:
    return whole / 10.0**decimals


def _ordered(single: npt.NDArray[np.float32]) -> Integers:
    """Return numbers of which neighbours are neighbours as floats."""
    bits = single.view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF) - 1, bits)


def _of_ordered(numbers: Integers) -> npt.NDArray[np.float32]:
    return np.where(numbers < 0, (-numbers - 1) | 0x80000000, numbers).astype(np.uint32).view(np.float32)


def _size(numbers: Integers) -> int:
    """Return how large numbers are, as bits."""
    return int(np.bitwise_or.reduce(np.where(numbers < 0, ~numbers, numbers))).bit_length()


def _width(numbers: Integers) -> int:
    """Return the type that holds numbers."""
    bits = _size(numbers)
    return next(kind for kind in range(_LARGE + 1) if bits < 8 * _TYPES[kind].itemsize)


class _Codec:
    """How a column is kept: by itself."""

    def encode(self, name: str, columns: Columns, writer: _Writer) -> Any:
        return writer.floats(columns[name])

    def decode(self, how: Any, arrays: Iterator[Array], column: Callable[[str], Any]) -> Any:
        return _floats(how, arrays)


class _Time(_Codec):
    def encode(self, name: str, columns: Columns, writer: _Writer) -> Any:
        return writer.integers(columns[name])

    def decode(self, how: Any, arrays: Iterator[Array], column: Callable[[str], Any]) -> Any:
        return _integers(how, arrays)


class _Derived(_Codec):
    """What follows from other columns, by one of several rules; rows for which none holds are kept by themselves."""

    def __init__(self, *rules: Callable[[Callable[[str], Any]], Floats]) -> None:
        self._rules = rules

    def encode(self, name: str, columns: Columns, writer: _Writer) -> Any:
        numbers = columns[name]
        by = np.full(len(numbers), len(self._rules))
        for place, rule in reversed(list(enumerate(self._rules))):
            by[_same(rule(columns.__getitem__), numbers)] = place
        if (by == 0).all():
            return None
        writer.add(by, _BYTE)
        others = numbers[by == len(self._rules)]
        return writer.floats(others) if len(others) else ["null", 0]

    def decode(self, how: Any, arrays: Iterator[Array], column: Callable[[str], Any]) -> Any:
        if how is None:
            return self._rules[0](column)
        by = next(arrays)
        numbers = np.empty(len(by))
        for place, rule in enumerate(self._rules):
            numbers[by == place] = rule(column)[by == place]
        numbers[by == len(self._rules)] = _floats(how, arrays)
        return numbers


class _Single(_Codec):
    """A 32-bit float near to what follows from other columns: how many floats lie between."""

    def __init__(self, rule: Callable[[Callable[[str], Any]], Floats]) -> None:
        self._rule = rule

    def encode(self, name: str, columns: Columns, writer: _Writer) -> Any:
        numbers = columns[name]
        single = numbers.astype(np.float32)
        near = self._rule(columns.__getitem__).astype(np.float32)
        if (
            not np.isfinite(near).all()
            or not _same(single.astype(np.float64), numbers).all()
            or np.isnan(numbers).any()
        ):
            return [writer.floats(numbers)]
        apart = _ordered(single) - _ordered(near)
        writer.add(apart, _width(apart))
        return None

    def decode(self, how: Any, arrays: Iterator[Array], column: Callable[[str], Any]) -> Any:
        if how is not None:
            return _floats(how[0], arrays)
        near = self._rule(column).astype(np.float32)
        return _of_ordered(_ordered(near) + next(arrays)).astype(np.float64)


class _Digest(_Codec):
    """Follows from the first and the samples."""

    def encode(self, name: str, columns: Columns, writer: _Writer) -> Any:
        digests = columns[name]
        if np.array_equal(_chain(int(digests[0]), columns["time"], columns["value"]), digests):
            return [int(digests[0])]
        writer.add(digests, _LARGE)
        return None

    def decode(self, how: Any, arrays: Iterator[Array], column: Callable[[str], Any]) -> Any:
        if how is None:
            return next(arrays).astype(np.int64)
        return _chain(how[0], column("time"), column("value"))


class _Texts(_Codec):
    def encode(self, name: str, columns: Columns, writer: _Writer) -> Any:
        texts = columns[name]
        if len(set(texts)) == 1:
            return [len(texts), texts[0]]
        body = msgspec.json.encode(texts)
        writer.add(np.frombuffer(body, np.uint8), _BYTE)
        return None

    def decode(self, how: Any, arrays: Iterator[Array], column: Callable[[str], Any]) -> Any:
        if how is None:
            return msgspec.json.decode(next(arrays).tobytes())
        return [how[1]] * how[0]


def _same(one: Floats, other: Floats) -> npt.NDArray[np.bool_]:
    same: npt.NDArray[np.bool_] = one.view(np.int64) == other.view(np.int64)
    return same | (np.isnan(one) & np.isnan(other))


def _chain(first: int, times: Integers, values: Floats) -> Integers:
    if first == NULL:
        return np.full(len(times), NULL)
    own = np.array(identity.hashes(times, values), dtype=np.uint64)
    own[0] = first
    return (np.cumsum(own, dtype=np.uint64) & np.uint64(identity.MASK)).astype(np.int64)


def _greater(one: Floats, other: Floats) -> Floats:
    """Return the greater numbers, NaN where there is one; of equal ones the first, which `np.maximum` leaves open for zeros."""
    return np.where((one >= other) | np.isnan(one), one, other)


def _anomaly(column: Callable[[str], Any]) -> Floats:
    scores: Floats = _kernels.likelihoods_of_logs(column("log_score"))
    return scores


def _reflected(column: Callable[[str], Any]) -> Floats:
    """The band lies around the forecast."""
    reflected: Floats = 2.0 * column("forecast") - column("usual_low")
    return reflected


_CODECS: Final[Mapping[str, _Codec]] = {
    "time": _Time(),
    "value": _Codec(),
    "raw_anomaly_score": _Codec(),
    "sequence_score": _Codec(),
    "novelty_score": _Codec(),
    "log_score": _Derived(
        lambda column: column("novelty_score"),
        lambda column: _SHARE * _greater(column("sequence_score"), column("novelty_score")),
        lambda column: _SHARE * column("novelty_score"),
        lambda column: _SHARE * column("sequence_score"),
    ),
    "anomaly_score": _Derived(_anomaly),
    "display_value": _Derived(lambda column: display.bars(column("anomaly_score"))),
    "forecast": _Codec(),
    "usual_low": _Codec(),
    "usual_high": _Single(_reflected),
    "digest": _Digest(),
    "multi_step_best_predictions": _Texts(),
}
COLUMNS: Final = tuple(_CODECS)
"""Of a block, each behind those from which it follows."""
