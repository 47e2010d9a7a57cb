"""Numbered lines of text from a stream of bytes, whatever its encoding and line ends."""

import codecs
import io
from collections.abc import Iterator
from typing import Final

from htmengine.series import container

MAX_LINE_LENGTH: Final = 1 << 20  # characters; one runaway line may not fill the memory

Line = tuple[int, str | None]  # number from 1, text; None for an overlong line

_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF32_MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_NO_UTF8: Final = "htmengine.windows-1252"


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Read bytes that are not UTF-8 as what they most likely are; each spoils its own cell at most."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error(_NO_UTF8, _as_windows_1252)


def text_of(stream: io.BufferedReader) -> io.TextIOWrapper:
    """Return the text of a stream: UTF-16 and UTF-32 by their first bytes, all else as UTF-8.

    Bytes that are not UTF-8 are read as Windows-1252, so that `°` of a spreadsheet is one. Line ends may be those of
    any system.
    """
    first = stream.peek(container.SNIFFED_BYTES)[: container.SNIFFED_BYTES]
    if first.startswith(_UTF32_MARKS):
        encoding = "utf-32"
    elif first.startswith(_UTF16_MARKS):
        encoding = "utf-16"
    else:
        encoding = container.is_utf16(first) or "utf-8-sig"
    errors = _NO_UTF8 if encoding == "utf-8-sig" else "replace"
    return io.TextIOWrapper(stream, encoding, errors=errors, newline=None)


def numbered_lines(stream: io.BufferedReader, name: str) -> Iterator[Line]:
    """Yield (line number from 1, text without line end); text is None for a line beyond MAX_LINE_LENGTH.

    `name` is for messages. The stream stays open.

    Raises
    ------
    ExplainedError : compressed data is damaged, or the stream fails; the lines before have been yielded.
    """
    number = 0
    text = None
    try:
        with container.reading(name, lambda: f" after line {number}"):
            text = text_of(stream)
            while line := text.readline(MAX_LINE_LENGTH):
                number += 1
                if line.endswith("\n"):
                    yield number, line[:-1]
                elif len(line) < MAX_LINE_LENGTH:  # the last line
                    yield number, line
                else:
                    while (rest := text.readline(MAX_LINE_LENGTH)) and not rest.endswith("\n"):
                        pass
                    yield number, None
    finally:
        if text is not None and not stream.closed:
            text.detach()  # or it would close the stream, which is the caller's
