"""Graphite's pickle protocol: frames of a length and a pickled list of `(name, (timestamp, value))`.

Pickles are programs, and `pickle` runs them; even where it may import nothing, nine bytes make it take 700 MB. So they are
read here by a reader of the opcodes that lists of points are made of. Nothing is imported, built or called; what a
frame may hold is bounded by its length.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Any, Final

from htmengine import foreign
from htmengine.doors import names, wrong_door
from htmengine.doors.reasons import MAX_NAME, BadSample, Reason
from htmengine.doors.samples import (
    EARLIEST,
    LARGEST,
    LATEST,
    MAX_EXAMPLE,
    Parsed,
    Refusals,
    Samples,
    check_timestamp,
    check_value,
)

MAX_FRAME: Final = 1 << 20
"""Bytes of a pickle, as in carbon."""
MAX_DEPTH: Final = 64
"""Lists and tuples that are open at a time."""
NOW: Final = -1
"""A timestamp that Graphite's senders leave to the receiver."""

_HEADER: Final = struct.Struct(">I")


class Reader:
    """Reads what a connection sends. Holds one frame at most."""

    def __init__(self, max_frame: int = MAX_FRAME) -> None:
        self._max_frame = max_frame
        self._held = bytearray()
        self._begun = False
        """A frame was there: it is pickles that this connection sends."""
        self.broken = False
        """After a frame that is too long: where the next one begins is not known, so the connection is of no more use."""

    def feed(self, data: bytes, now: float) -> Parsed:
        """Return what the frames say that are complete now. `now`: seconds since the epoch, for points without a time."""
        parsed = Parsed(Samples.empty(), Refusals())
        if self.broken:
            return parsed
        held, at = self._held, 0
        held += data
        while len(held) - at >= _HEADER.size:
            (length,) = _HEADER.unpack_from(held, at)
            if length > self._max_frame:
                begin = bytes(held[at : at + MAX_EXAMPLE])
                other = None if self._begun else wrong_door.of_no_pickle(begin)
                parsed.refusals.add(other or Reason.LONG_FRAME, begin if other else f"{length} bytes")
                self.broken = True
                held.clear()
                return parsed
            end = at + _HEADER.size + length
            if len(held) < end:
                break
            frame = parse(bytes(held[at + _HEADER.size : end]), now)
            parsed.samples.extend(frame.samples)
            parsed.refusals.extend(frame.refusals)
            at, self._begun = end, True
        del held[:at]
        return parsed

    def finish(self) -> Refusals:
        """Return a refusal if the connection ended within a frame."""
        refusals = Refusals()
        if self._held:
            refusals.add(Reason.UNFINISHED, f"{len(self._held)} bytes")
        self._held.clear()
        return refusals


def parse(frame: bytes, now: float) -> Parsed:
    """Return the samples of a pickled list of points; a point that is none costs only itself."""
    refusals = Refusals()
    points: Any
    try:
        points = _Unpickler(frame).load()
    except (_NotPoints, IndexError, KeyError, ValueError, struct.error):
        points = None
    if not isinstance(points, list | tuple):
        refusals.add(Reason.NOT_POINTS, f"a frame of {len(frame)} bytes")
        return Parsed(Samples.empty(), refusals)
    series: list[str] = []
    timestamps: list[float] = []
    values: list[float] = []
    for record, point in enumerate(points, start=1):
        try:
            path, (timestamp, value) = point
            plain = (
                type(path) is str
                and type(timestamp) in _NUMBERS
                and type(value) in _NUMBERS
                and path.isascii()
                and path.isprintable()
                and not (" " in path or ";" in path or "}" in path)
                and EARLIEST <= timestamp <= LATEST
                and -LARGEST <= value <= LARGEST
                and timestamp != NOW
                and 0 < len(path) <= MAX_NAME
            )
            if not plain:
                path, timestamp, value = _slowly(path, timestamp, value, now)
        except (TypeError, ValueError) as error:
            reason = error.reason if isinstance(error, BadSample) else Reason.NOT_A_POINT
            refusals.add(reason, _shown(point), record)
            continue
        series.append(path)
        timestamps.append(timestamp)
        values.append(value + 0.0)
    return Parsed(Samples.gauges(series, timestamps, values), refusals)


_NUMBERS: Final = frozenset({int, float})


def _slowly(path: object, timestamp: object, value: object, now: float) -> tuple[str, float, float]:
    """Return name, timestamp and value of a point. Raises BadSample."""
    if isinstance(path, bytes):
        try:
            path = path.decode()
        except UnicodeDecodeError:
            raise BadSample(Reason.NOT_UTF8) from None
    if not isinstance(path, str):
        raise BadSample(Reason.NO_NAME)
    name = names.read(path)
    number = _number(value, Reason.VALUE)
    seconds = _number(timestamp, Reason.TIMESTAMP)
    if seconds == NOW:
        seconds = now
    if reason := check_value(number) or check_timestamp(seconds):
        raise BadSample(reason)
    return name, seconds, number


def _number(value: object, reason: Reason) -> float:
    try:
        if isinstance(value, bytes):
            value = value.decode("ascii")
        if isinstance(value, str):
            return foreign.number(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    except OverflowError:
        raise BadSample(Reason.NOT_FINITE if reason == Reason.VALUE else Reason.TIMESTAMP_RANGE) from None
    except ValueError:
        pass
    raise BadSample(reason)


def _shown(point: object) -> str:
    """Return a point for a report: never all of what was decoded, which may be without end when written out."""
    if isinstance(point, list | tuple) and point and isinstance(point[0], str):
        return point[0]
    return f"a {type(point).__name__}"


# -- Opcodes


class _NotPoints(ValueError):
    """A pickle of something else."""


class _Unpickler:
    """Reads one pickle of lists, tuples, numbers and text."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def load(self) -> object:
        """Return what the pickle holds. Raises _NotPoints, IndexError, KeyError, ValueError or struct.error otherwise."""
        data, handlers = self.data, _HANDLERS
        while True:
            opcode = data[self.at]
            self.at += 1
            if opcode == _STOP:
                return self.stack.pop()
            handler = handlers[opcode]
            if handler is None:
                raise _NotPoints
            handler(self)

    # -- What is in the bytes behind the opcode

    def take(self, length: int) -> bytes:
        taken = self.data[self.at : self.at + length]
        if len(taken) < length:
            raise _NotPoints
        self.at += length
        return taken

    def number(self, length: int) -> int:
        return int.from_bytes(self.take(length), "little")

    def line(self) -> bytes:
        end = self.data.index(b"\n", self.at)
        taken = self.data[self.at : end]
        self.at = end + 1
        return taken

    # -- The stack

    def open(self) -> None:
        if len(self.marks) >= MAX_DEPTH:
            raise _NotPoints
        self.marks.append(len(self.stack))

    def close(self) -> list[Any]:
        """Take what lies above the newest mark."""
        mark = self.marks.pop()
        items = self.stack[mark:]
        del self.stack[mark:]
        return items

    def last(self, count: int) -> list[Any]:
        items = self.stack[-count:]
        if len(items) < count:
            raise _NotPoints
        del self.stack[-count:]
        return items

    def append(self, items: list[Any]) -> None:
        """Add items to the list on the stack."""
        target = self.stack[-1]
        if type(target) is not list:
            raise _NotPoints
        target += items


_Handler = Callable[[_Unpickler], object]
_STOP: Final = ord(".")
_ESCAPES: Final = re.compile(rb"\\(?:x([0-9a-f]{2})|([\\'\"nrt]))")
_ESCAPED: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def _pushes(read: Callable[[_Unpickler], Any]) -> _Handler:
    return lambda machine: machine.stack.append(read(machine))


def _integer_line(machine: _Unpickler) -> int | bool:
    line = machine.line().removesuffix(b"L")
    return int(line) if line not in (b"00", b"01") else line == b"01"


def _string_line(machine: _Unpickler) -> bytes:
    def unescaped(found: re.Match[bytes]) -> bytes:
        return bytes.fromhex(found[1].decode()) if found[1] else _ESCAPED.get(found[2], found[2])

    return _ESCAPES.sub(unescaped, machine.line()[1:-1])


def _memoize(machine: _Unpickler) -> None:
    machine.memo[len(machine.memo)] = machine.stack[-1]


def _put(index: Callable[[_Unpickler], int]) -> _Handler:
    def put(machine: _Unpickler) -> None:
        machine.memo[index(machine)] = machine.stack[-1]

    return put


def _get(index: Callable[[_Unpickler], int]) -> _Handler:
    return lambda machine: machine.stack.append(machine.memo[index(machine)])


def _text(length: int) -> _Handler:
    """Return a handler of text whose length stands in so many bytes before it."""
    return _pushes(lambda machine: machine.take(machine.number(length)).decode())


def _bytes(length: int) -> _Handler:
    return _pushes(lambda machine: machine.take(machine.number(length)))


def _unsigned(length: int) -> _Handler:
    return _pushes(lambda machine: machine.number(length))


def _number_at(length: int) -> Callable[[_Unpickler], int]:
    return lambda machine: machine.number(length)


def _index_line(machine: _Unpickler) -> int:
    return int(machine.line())


_OPCODES: Final[dict[bytes, _Handler]] = {
    b"\x80": lambda machine: machine.take(1),  # PROTO
    b"\x95": lambda machine: machine.take(8),  # FRAME
    b"(": _Unpickler.open,  # MARK
    b"]": _pushes(lambda machine: []),  # EMPTY_LIST
    b"l": _pushes(_Unpickler.close),  # LIST
    b"a": lambda machine: machine.append(machine.last(1)),  # APPEND
    b"e": lambda machine: machine.append(machine.close()),  # APPENDS
    b")": _pushes(lambda machine: ()),  # EMPTY_TUPLE
    b"t": _pushes(lambda machine: tuple(machine.close())),  # TUPLE
    b"\x85": _pushes(lambda machine: tuple(machine.last(1))),  # TUPLE1
    b"\x86": _pushes(lambda machine: tuple(machine.last(2))),  # TUPLE2
    b"\x87": _pushes(lambda machine: tuple(machine.last(3))),  # TUPLE3
    b"I": _pushes(_integer_line),  # INT
    b"L": _pushes(_integer_line),  # LONG
    b"\x8a": _pushes(lambda m: int.from_bytes(m.take(m.number(1)), "little", signed=True)),  # LONG1
    b"J": _pushes(lambda machine: int.from_bytes(machine.take(4), "little", signed=True)),  # BININT
    b"K": _unsigned(1),  # BININT1
    b"M": _unsigned(2),  # BININT2
    b"F": _pushes(lambda machine: float(machine.line())),  # FLOAT
    b"G": _pushes(lambda machine: struct.unpack(">d", machine.take(8))[0]),  # BINFLOAT
    b"V": _pushes(lambda machine: machine.line().decode("raw-unicode-escape")),  # UNICODE
    b"X": _text(4),  # BINUNICODE
    b"\x8c": _text(1),  # SHORT_BINUNICODE
    b"\x8d": _text(8),  # BINUNICODE8
    b"S": _pushes(_string_line),  # STRING
    b"T": _bytes(4),  # BINSTRING
    b"U": _bytes(1),  # SHORT_BINSTRING
    b"B": _bytes(4),  # BINBYTES
    b"C": _bytes(1),  # SHORT_BINBYTES
    b"p": _put(_index_line),  # PUT
    b"q": _put(_number_at(1)),  # BINPUT
    b"r": _put(_number_at(4)),  # LONG_BINPUT
    b"\x94": _memoize,  # MEMOIZE
    b"g": _get(_index_line),  # GET
    b"h": _get(_number_at(1)),  # BINGET
    b"j": _get(_number_at(4)),  # LONG_BINGET
    b"N": _pushes(lambda machine: None),  # NONE
    b"\x88": _pushes(lambda machine: True),  # NEWTRUE
    b"\x89": _pushes(lambda machine: False),  # NEWFALSE
}
_HANDLERS: Final = [_OPCODES.get(bytes([opcode])) for opcode in range(256)]
