"""What a file is packed in: compression and archives are taken off until text, JSON, a workbook or Parquet is left.

Everything is recognised by its first bytes, never by the name of the file.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Final, Literal, NamedTuple, TypeAlias

import zstandard

from htmengine.errors import ExplainedError, MisuseError

Kind: TypeAlias = Literal["text", "workbook", "parquet"]

SNIFFED_BYTES: Final = 4096
"""Bytes that are looked at to tell what a file is."""
_MAX_LAYERS = 4
_PACKED_BYTES = 4096  # that are unpacked at a time: few may become many
_MAX_NAMED = 5

_BINARY_MARKS: Final[tuple[tuple[bytes, str, str], ...]] = (
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)", "Save it as .xlsx or as CSV and give that."),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it first, and give what is in it."),
    (b"Rar!", "a RAR archive", "Unpack it first, and give what is in it."),
    (b"\x04\x22\x4d\x18", "packed with LZ4", "Unpack it with `lz4 -d` first."),
    (b"\x1f\x9d", "packed with compress (.Z)", "Unpack it with `uncompress` first."),
    (
        b"SQLite format 3",
        "an SQLite database",
        "Export the rows as CSV: `sqlite3 -csv -header FILE 'SELECT …'`.",
    ),
    (b"%PDF", "a PDF document", "Give the numbers as CSV."),
    (b"\x89PNG", "a PNG picture", "Give the numbers as CSV."),
    (b"\xff\xd8\xff", "a JPEG picture", "Give the numbers as CSV."),
    (b"\x7fELF", "a program", "Give a file of times and values."),
    (b"ARROW1", "an Arrow file", "Write it as Parquet or CSV and give that."),
    (b"ORC", "an ORC file", "Write it as Parquet or CSV and give that."),
    (b"Obj\x01", "an Avro file", "Write it as Parquet or CSV and give that."),
    (b"\x89HDF", "an HDF5 file", "Write the series as Parquet or CSV and give that."),
    (b"\x80\x04\x95", "a Python pickle", "Write the series as Parquet or CSV and give that."),
    (b"RRD\x00", "a round robin database", "Export it with `rrdtool xport --json` or `rrdtool fetch`."),
    (b"\x93NUMPY", "a NumPy array", "Write times and values as CSV and give that."),
)
# What the readers of archives say of those that are damaged.
_DAMAGES: Final = (
    EOFError,
    ValueError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zstandard.ZstdError,
    zipfile.BadZipFile,
)
_MARKUP: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*<(?:\?xml|!--|!doctype|html|table|rrd|xport)\b", re.IGNORECASE
)
_TAR_MARK_AT, _TAR_MARK = 257, b"ustar"
_CSV_HINT: Final = "Give a file of text with a time and a value in each row, such as CSV."
_MARKS: Final = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Member(NamedTuple):
    """A file without its packing."""

    label: str  # its name within an archive; empty if it came by itself
    kind: Kind
    stream: io.BufferedReader[Any]


def members(stream: io.BufferedReader[Any], name: str) -> Iterator[Member]:
    """Yield what a file holds: itself, or the files of an archive, in the order of the archive.

    Each is open until the next one is asked for; the stream itself is left open.

    Parameters
    ----------
    name : of the file, for messages.

    Raises
    ------
    MisuseError : the file is of a kind that is not read; the message says which.
    ExplainedError : what is packed is damaged, or needs a password.
    """
    yield from _members(stream, name, "", _MAX_LAYERS)


@contextmanager
def reading(name: str, where: Callable[[], str] = lambda: "") -> Iterator[None]:
    """Turn what goes wrong with packed data, or with the disk, into an error that a person understands.

    `where` says how far it was read, such as ` after line 7`.
    """
    try:
        yield
    except _DAMAGES as error:
        raise _damaged(name, where(), error) from error
    except OSError as error:
        if error.errno is None:  # of gzip and bz2
            raise _damaged(name, where(), error) from error
        place = where().replace(" after", " beyond") or ""
        raise ExplainedError(
            f"{name}: cannot be read{place}: {error.strerror or error}.",
            hint="Copy the file to another disk, or what is left of it, and read that.",
        ) from error


def _damaged(name: str, where: str, error: Exception) -> ExplainedError:
    return ExplainedError(
        f"{name}: the compressed data is damaged{where}: {error}.",
        hint="Fetch the file again, or unpack what is left of it, for example with `gzip -dc`, and read that.",
    )


def _members(stream: io.BufferedReader[Any], name: str, label: str, layers: int) -> Iterator[Member]:
    with reading(name):
        first = stream.peek(SNIFFED_BYTES)[:SNIFFED_BYTES]
    for mark, opened in _PACKINGS.items():
        if first.startswith(mark) and (mark != b"BZh" or first[4:10] == b"1AY&SY"):
            if not layers:
                raise MisuseError(f"{name}: is packed too many times over.", hint="Unpack it first.")
            unpacked = io.BufferedReader(opened(stream))
            try:
                yield from _members(unpacked, name, label, layers - 1)
            finally:
                unpacked.detach()  # or closing it would close what it reads from
            return
    if first.startswith(b"PK\x03\x04"):
        yield from _of_zip(stream, name, label, layers)
        return
    if first.startswith(b"PAR1"):
        yield Member(label, "parquet", stream)
        return
    if found := _unread(first):
        what, hint = found
        raise MisuseError(f"{name}: is {what}, which is not read.", hint=hint)
    yield Member(label, "text", stream)


def _unread(first: bytes) -> tuple[str, str] | None:
    """Return what kind of file that is not read begins like this, and what to do with it; None if it may be text in rows."""
    for mark, what, hint in _BINARY_MARKS:
        if first.startswith(mark):
            return what, hint
    if first[_TAR_MARK_AT : _TAR_MARK_AT + len(_TAR_MARK)] == _TAR_MARK:
        return "a tar archive", "Unpack it with `tar -xf`, and give its folder."
    if _MARKUP.match(first):
        return "XML or HTML", "Export CSV or JSON and give that: `rrdtool xport --json`, for example."
    if first.startswith(_MARKS) or is_utf16(first):
        return None
    # Bytes that no text holds; a stray one in a cell is no reason to refuse the file.
    unseen = sum(byte < 32 and byte not in b"\t\n\v\f\r\x1b" for byte in first)
    return ("a binary file of a kind", _CSV_HINT) if 20 * unseen > len(first) else None


def is_utf16(first: bytes) -> str | None:
    """Return the encoding of text that begins like this if it is UTF-16 without a mark: every second byte is null."""
    even, odd = first[0::2], first[1::2]
    if len(first) < 4:
        return None
    if 10 * odd.count(0) > 9 * len(odd) and not even.count(0):
        return "utf-16-le"
    if 10 * even.count(0) > 9 * len(even) and not odd.count(0):
        return "utf-16-be"
    return None


def _of_zip(stream: io.BufferedReader[Any], name: str, label: str, layers: int) -> Iterator[Member]:
    try:
        with reading(name):
            archive = zipfile.ZipFile(stream if stream.seekable() else io.BytesIO(stream.read()))
    except NotImplementedError as error:
        raise ExplainedError(
            f"{name}: the ZIP archive is of a kind that is not read: {error}.",
            hint="Unpack it first, and give what is in it.",
        ) from error
    with archive:
        inner = archive.namelist()
        if "xl/workbook.xml" in inner or "xl/workbook.bin" in inner:
            yield Member(label, "workbook", stream)
            return
        if "mimetype" in inner and any(path == "content.xml" for path in inner):
            raise MisuseError(
                f"{name}: is an OpenDocument file, which is not read.",
                hint="Save it as .xlsx or as CSV and give that.",
            )
        files = [info for info in archive.infolist() if not info.is_dir() and not _is_hidden(info.filename)]
        if not files:
            raise MisuseError(f"{name}: the ZIP archive holds no files.", hint=_CSV_HINT)
        if not layers:
            raise MisuseError(f"{name}: is packed too many times over.", hint="Unpack it first.")
        refused: list[str] = []
        for info in files:
            if info.flag_bits & 1:
                raise ExplainedError(
                    f"{name}: {info.filename} in it needs a password.",
                    hint="Unpack it first, and give what is in it.",
                )
            path = f"{label}/{info.filename}" if label else info.filename
            try:
                with reading(name):
                    packed: IO[bytes] = archive.open(info)
                with io.BufferedReader(packed) as member:  # type: ignore[type-var]
                    yield from _members(member, f"{name}: {path}", path, layers - 1)
            except NotImplementedError as error:
                raise ExplainedError(
                    f"{name}: {info.filename} is packed in a way that is not read: {error}.",
                    hint="Unpack it first, and give what is in it.",
                ) from error
            except MisuseError as error:
                refused.append(str(error))  # a picture beside the data costs nothing
        if len(refused) == len(files):
            raise MisuseError("; ".join(refused[:_MAX_NAMED]), hint=_CSV_HINT)


def _is_hidden(path: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in path.split("/"))


class _Zstandard(io.RawIOBase):
    """Frames of Zstandard, one after the other; EOFError if the last one is cut off."""

    def __init__(self, source: io.BufferedReader[Any]) -> None:
        self._source = source
        self._frame: zstandard.ZstdDecompressionObj | None = None  # None between two frames
        self._packed = b""
        self._unpacked = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._unpacked:
            if not self._packed:
                self._packed = self._source.read1(_PACKED_BYTES)
                if not self._packed:
                    if self._frame is not None:
                        raise EOFError("it ends within a frame")
                    return 0
            self._frame = self._frame or zstandard.ZstdDecompressor().decompressobj()
            self._unpacked = self._frame.decompress(self._packed)
            if self._frame.eof:
                self._packed, self._frame = self._frame.unused_data, None
            else:
                self._packed = b""
        size = min(len(buffer), len(self._unpacked))
        buffer[:size] = self._unpacked[:size]
        self._unpacked = self._unpacked[size:]
        return size


_PACKINGS: Final[dict[bytes, Callable[[Any], Any]]] = {
    b"\x1f\x8b": lambda source: gzip.GzipFile(fileobj=source, mode="rb"),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
    b"\x28\xb5\x2f\xfd": _Zstandard,
}
