"""Text whose fields stand between commas, semicolons, tabs or bars, with or without quotes."""

import csv
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, NamedTuple

from htmengine.series import tables
from htmengine.series.lines import MAX_LINE_LENGTH, Line
from htmengine.series.tables import BadRows, Row, Table

DELIMITERS: Final = (",", ";", "\t", "|")
_WIDTHS = 3  # numbers of fields that are tried
_MAX_LINES = 100  # of a row whose quoted fields hold line ends
_MAX_ABOVE = 50  # lines above the header: titles and the like are no rows
_OFTEN_SHORT = 0.1  # of the rows of the head: so many that lack their last fields are no broken ones


class _Form(NamedTuple):
    """How one table stands in the text."""

    delimiter: str
    width: int
    header: list[str] | None
    header_lines: range  # their numbers; empty without header
    short: bool = False  # rows may lack their last fields, which are empty then


def is_comment(text: str) -> bool:
    """Whether a line is none of the rows; it may be the header all the same."""
    return text.startswith("#")


def _is_no_row(text: str) -> bool:
    """Whether a line is a comment, or blank, or of empty fields, as spreadsheets leave them, or a rule, as databases draw it."""
    return (
        is_comment(text) or not text.strip(" \t\r,;|") or (text[0] in "+-|" and not text.strip("+-=|: \t\r"))
    )


class _Unfinished(ValueError):
    """A quoted field has not ended at the end of the text: it may on a later line."""


def split(text: str, delimiter: str) -> list[str]:
    """Return the fields of one row, stripped; ValueError if a quoted field does not end in it, or before a delimiter."""
    if '"' not in text:
        return [field.strip() for field in text.split(delimiter)]
    try:
        rows = list(csv.reader([text], delimiter=delimiter, strict=True, skipinitialspace=True))
    except csv.Error as error:
        kind = _Unfinished if str(error) == "unexpected end of data" else ValueError
        raise kind("a quoted field does not end on its line") from error
    return [field.strip() for field in rows[0]] if rows else [""]


def candidates(
    head: Sequence[Line], lines: Callable[[], Iterable[Line]], *, alone: bool = False
) -> list[Table]:
    """Return the tables that the first lines may be meant as: of each delimiter those of the commonest widths.

    Parameters
    ----------
    lines : gives all lines, those of the head among them.
    alone : whether rows of a single field are rows.
    """
    return [
        Table("", form.header, form.width, delimiter, rows, partial(_read, form, lines))
        for delimiter in DELIMITERS
        for form, rows in _forms(head, delimiter, 1 if alone else 2)
    ]


def _forms(head: Sequence[Line], delimiter: str, narrowest: int) -> Iterator[tuple[_Form, list[Row]]]:
    rows: defaultdict[int, list[tuple[range, list[str]]]] = defaultdict(list)
    comment: tuple[range, list[str]] | None = None
    for numbers, text, fields in _joined(head, delimiter):
        if is_comment(text):
            comment = comment if rows else (numbers, fields)
        elif len(fields) >= narrowest:
            rows[len(fields)].append((numbers, fields))
    for same_width in sorted(rows.values(), key=len, reverse=True)[:_WIDTHS]:
        width = len(same_width[0][1])
        titled = next(
            (i for i, (_, fields) in enumerate(same_width) if sum(map(bool, fields)) >= min(2, width)), 0
        )
        numbers, first = same_width[titled]
        below = [(where.start, fields) for where, fields in same_width[titled + 1 :]]
        if tables.is_header(first, below):
            shorter = [
                (where.start, [*fields, *[""] * (width - len(fields))])
                for narrow, others in rows.items()
                for where, fields in others
                if narrow < width and where.start >= numbers.stop
            ]
            short = len(shorter) >= _OFTEN_SHORT * (len(shorter) + len(below))
            form = _Form(delimiter, width, first, numbers, short)
            if short:
                below = sorted(below + shorter)
        else:
            below = [(where.start, fields) for where, fields in same_width]
            form = _Form(delimiter, width, None, range(0))
            if comment and len(comment[1]) == width and tables.is_header(comment[1], below):
                numbers, (first_name, *others) = comment
                form = _Form(delimiter, width, [first_name.lstrip("# "), *others], numbers)
        if below:
            yield form, below


def _joined(head: Sequence[Line], delimiter: str) -> Iterator[tuple[range, str, list[str]]]:
    """Yield the rows of the head with the numbers of their lines, whatever their width."""
    widths: defaultdict[int, int] = defaultdict(int)
    for _, text in head:
        if text:
            try:
                widths[len(split(text, delimiter))] += 1
            except ValueError:
                continue
    commonest = max(widths, key=lambda width: widths[width], default=0)
    position = 0
    while position < len(head):
        number, text = head[position]
        position += 1
        if not text or text.isspace():
            continue
        try:
            yield range(number, number + 1), text, split(text, delimiter)
        except _Unfinished:
            following = (text for _, text in head[position : position + _MAX_LINES])
            for more, fields in _longer(text, following, delimiter, lambda _fields: False):
                if widths[len(fields)] or commonest <= 1:
                    yield range(number, number + more + 1), text, fields
                    position += more
                    break
        except ValueError:
            continue


def _longer(
    text: str, following: Iterable[str | None], delimiter: str, is_row: Callable[[list[str]], bool]
) -> Iterator[tuple[int, list[str]]]:
    """Yield the row that a line begins whose quoted field holds line ends, with how many lines more it takes.

    A stray quote must not swallow the rows below: lines that are rows by themselves are no part of one.
    """
    for more, line in enumerate(following, start=1):
        if line is None or len(text) + len(line) > MAX_LINE_LENGTH:
            return
        if delimiter in line:
            with suppress(ValueError):
                if is_row(split(line, delimiter)):
                    return
        text = f"{text}\n{line}"
        if '"' in line:
            try:
                fields = split(text, delimiter)
            except _Unfinished:
                continue
            except ValueError:
                return  # whatever follows
            yield more, fields


def _read(
    form: _Form, lines: Callable[[], Iterable[Line]], bad: BadRows, usable: Callable[[list[str]], bool]
) -> Iterator[Row]:
    delimiter, width = form.delimiter, form.width
    source = iter(lines())
    waiting: deque[Line] = deque()  # lines that were looked at already
    above = 0

    def is_row(fields: list[str]) -> bool:
        return len(fields) == width and usable(fields)

    while True:
        line = waiting.popleft() if waiting else next(source, None)
        if line is None:
            return
        number, text = line
        if number < form.header_lines.stop:
            above += number < form.header_lines.start and not (text is not None and _is_no_row(text))
            if above > _MAX_ABOVE:
                bad.add(number, "stands above the header")
            continue
        if text is None:
            bad.add(number, f"longer than {MAX_LINE_LENGTH} characters")
            continue
        if _is_no_row(text):
            continue
        try:
            fields = split(text, delimiter)
        except ValueError as error:
            if not isinstance(error, _Unfinished):
                bad.add(number, str(error))
                continue
            while len(waiting) < _MAX_LINES and (ahead := next(source, None)) is not None:
                waiting.append(ahead)
            following = [after for _, after in waiting]
            for more, joined in _longer(text, following, delimiter, is_row):
                if is_row(joined):
                    for _ in range(more):
                        waiting.popleft()
                    yield number, joined
                    break
            else:
                bad.add(number, str(error))
            continue
        if len(fields) != width:
            while len(fields) > width and not fields[-1]:
                fields.pop()  # delimiters at the end of a line carry nothing
            if form.short and len(fields) < width and usable(padded := fields + [""] * (width - len(fields))):
                fields = padded
            if len(fields) != width:
                bad.add(number, f"{len(fields)} field{'s' * (len(fields) != 1)} instead of {width}")
                continue
        if fields == form.header:
            continue  # of files that were put one after the other
        yield number, fields
