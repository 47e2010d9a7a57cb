"""Numbered lines of text from a stream of bytes, whatever its compression, encoding and line ends."""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator

from htmengine.errors import ExplainedError

MAX_LINE_LENGTH = 1 << 20  # characters; one runaway line may not fill the memory

_GZIP_MAGIC = b"\x1f\x8b"
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def numbered_lines(stream: io.BufferedReader, name: str) -> Iterator[tuple[int, str | None]]:
    """Yield (line number from 1, text without line end); text is None for a line beyond MAX_LINE_LENGTH.

    Gzip is recognised by its first bytes, UTF-16 by its byte order mark; all else is UTF-8, and bytes that are
    not become U+FFFD, so that they spoil their own cell alone. `name` is for messages.

    Raises
    ------
    ExplainedError : compressed data is damaged, or the stream fails; the lines before have been yielded.
    """
    if stream.peek(2)[:2] == _GZIP_MAGIC:
        stream = io.BufferedReader(gzip.GzipFile(fileobj=stream))
    number = 0
    text = None
    try:
        encoding = "utf-16" if stream.peek(2)[:2] in _UTF16_MARKS else "utf-8-sig"
        text = io.TextIOWrapper(stream, encoding, errors="replace", newline=None)
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
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ExplainedError(
            f"{name}: the compressed data is damaged after line {number}: {error}.",
            hint="Fetch the file again, or unpack what is left of it with `gzip -dc` and read that.",
        ) from error
    except OSError as error:
        raise ExplainedError(
            f"{name}: cannot be read beyond line {number}: {error.strerror or error}.",
            hint="Copy the file to another disk, or what is left of it, and read that.",
        ) from error
    finally:
        if text is not None and not stream.closed:
            text.detach()  # or it would close the stream, which is the caller's
