"""Text whose fields stand between commas, semicolons, tabs or bars, with or without quotes."""

import csv
import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    quote: str  # what fields may stand between
    short: bool = False  # rows may lack their last fields, which are empty then
    fractions: range = range(0)  # columns whose numbers have commas, so that each may stand in two fields


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


def split(text: str, delimiter: str, quote: str = '"') -> list[str]:
    """Return the fields of one row, stripped; ValueError if a quoted field does not end in it, or before a delimiter."""
    if quote not in text:
        return [field.strip() for field in text.split(delimiter)]
    try:
        rows = list(
            csv.reader([text], delimiter=delimiter, quotechar=quote, strict=True, skipinitialspace=True)
        )
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
    quote = _quote(head)
    return [
        Table(
            "",
            form.header,
            form.width,
            delimiter,
            rows,
            partial(_read, form, lines),
            notes=_SAID if form.fractions else (),
        )
        for delimiter in DELIMITERS
        for form, rows in _forms(head, delimiter, quote, 1 if alone else 2)
    ]


def _quote(head: Sequence[Line]) -> str:
    """Return what fields stand between where they are quoted: apostrophes only where they do nothing else."""
    lines = [text for _, text in head if text and not text.isspace() and not is_comment(text)]
    if any('"' in text for text in lines):
        return '"'
    return "'" if 2 * sum(map(bool, map(_IN_APOSTROPHES.search, lines))) > len(lines) else '"'


_IN_APOSTROPHES: Final = re.compile(r"(?:^|[,;\t|])\s*'(?:[^']|'')*'\s*(?:[,;\t|]|$)")


def _forms(
    head: Sequence[Line], delimiter: str, quote: str, narrowest: int
) -> Iterator[tuple[_Form, list[Row]]]:
    rows: defaultdict[int, list[tuple[range, list[str]]]] = defaultdict(list)
    comment: tuple[range, list[str]] | None = None
    for numbers, text, fields in _joined(head, delimiter, quote):
        if is_comment(text):
            comment = comment if rows else (numbers, fields)
        elif len(fields) >= narrowest:
            rows[len(fields)].append((numbers, fields))
    if delimiter == "," and (with_fractions := _decimal_commas(rows, quote)):
        yield with_fractions
    for same_width in sorted(rows.values(), key=len, reverse=True)[:_WIDTHS]:
        width = len(same_width[0][1])
        titled = next(
            (i for i, (_, fields) in enumerate(same_width) if sum(map(bool, fields)) >= min(2, width)), 0
        )
        titled = _last_of_names(same_width, titled)
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
            form = _Form(delimiter, width, first, numbers, quote, short)
            if short:
                below = sorted(below + shorter)
        else:
            below = [(where.start, fields) for where, fields in same_width]
            form = _Form(delimiter, width, None, range(0), quote)
            if comment and len(comment[1]) == width and tables.is_header(comment[1], below):
                numbers, (first_name, *others) = comment
                form = _Form(delimiter, width, [first_name.lstrip("# "), *others], numbers, quote)
        if below:
            yield form, below


def _last_of_names(rows: Sequence[tuple[range, list[str]]], first: int) -> int:
    """Return which of the rows that begin with `first` has the names: of several lines of words the last one that is fuller."""
    names = first
    for place in range(first + 1, min(first + _HEADERS, len(rows) - 1)):
        fields = rows[place][1]
        if not tables.is_header(rows[names][1], []) or not tables.is_header(fields, []):
            break
        if sum(map(bool, fields)) > sum(map(bool, rows[names][1])):
            names = place
    return names


_HEADERS: Final = 4  # lines of words above the rows that are looked at


def _decimal_commas(
    rows: Mapping[int, Sequence[tuple[range, list[str]]]], quote: str
) -> tuple[_Form, list[Row]] | None:
    """Return the form of rows whose numbers have decimal commas that nothing tells from those between the fields.

    Under a header they have a field more for each such number; without one, fractions are known by zeros in front: `05`.
    """
    found = sorted((where.start, where, fields) for of_width in rows.values() for where, fields in of_width)
    if len(found) < 2:
        return None
    _, where, first = found[0]
    body = [(number, fields) for number, _, fields in found[1:]]
    header: list[str] | None = None
    widest = max(len(fields) for _, fields in body)
    if len(first) < widest and not any(map(_is_number, first)):
        header, width = first, len(first)
    else:
        if {len(fields) for _, _, fields in found} != {3}:
            return None
        body, where, width = [(number, fields) for number, _, fields in found], range(0), 2
    for fractions in _columns_with_fractions(width, widest):
        form = _Form(",", width, header, where, quote, fractions=fractions)
        joined = [(number, _with_fractions(form, fields)) for number, fields in body]
        whole = [(number, fields) for number, fields in joined if len(fields) == width]
        found_fractions = {fields[column].partition(".")[2] for _, fields in whole for column in fractions}
        shortened = sum(
            len(after) < len(before) for (_, before), (_, after) in zip(body, joined, strict=True)
        )
        if 2 * shortened < len(whole):
            continue  # they are other rows that have more fields
        if len(whole) < _MOST * len(joined) or len(found_fractions) < min(_FRACTIONS, len(whole)):
            continue
        if header is None and not any(re.match(r"0\d", digits) for digits in found_fractions):
            continue
        if header is None or tables.is_header(header, whole):
            return form, whole
    return None


def _columns_with_fractions(width: int, widest: int) -> Iterator[range]:
    more = widest - width
    if 0 < more < width:
        yield range(width - more, width)
        if more == 1:
            yield from (range(column, column + 1) for column in range(width - 2, -1, -1))


def _with_fractions(form: _Form, fields: list[str]) -> list[str]:
    """Return fields in which each number with a decimal comma is one, with a point; unchanged where they are none."""
    if len(fields) <= form.width:
        return fields
    joined, at = fields[: form.fractions.start], form.fractions.start
    rest = len(fields) - form.width  # numbers that have a fraction
    if rest != len(form.fractions):
        return fields
    for _ in form.fractions:
        whole, fraction = fields[at], fields[at + 1]
        if not (_WHOLE.fullmatch(whole) and _DIGITS.fullmatch(fraction)):
            return fields
        joined.append(f"{whole}.{fraction}")
        at += 2
    return joined + fields[at:]


_SAID: Final = ("Decimal commas stand in the numbers without quotes: 12,5 is read as one number.",)
_MOST: Final = 0.9  # of the rows of the head
_WHOLE: Final = re.compile(r"[+-]?(?:0|[1-9]\d{0,8})", re.ASCII)  # no count of seconds
_DIGITS: Final = re.compile(r"\d{1,9}", re.ASCII)
_FRACTIONS: Final = 3  # that differ: less may be a flag that has no name


def _is_number(cell: str) -> bool:
    return bool(cell) and cell[0].isdigit()


def _joined(head: Sequence[Line], delimiter: str, quote: str) -> Iterator[tuple[range, str, list[str]]]:
    """Yield the rows of the head with the numbers of their lines, whatever their width."""
    widths: defaultdict[int, int] = defaultdict(int)
    for _, text in head:
        if text:
            try:
                widths[len(split(text, delimiter, quote))] += 1
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
            yield range(number, number + 1), text, split(text, delimiter, quote)
        except _Unfinished:
            following = (text for _, text in head[position : position + _MAX_LINES])
            for more, fields in _longer(text, following, delimiter, quote, lambda _fields: False):
                if widths[len(fields)] or commonest <= 1:
                    yield range(number, number + more + 1), text, fields
                    position += more
                    break
        except ValueError:
            continue


def _longer(
    text: str,
    following: Iterable[str | None],
    delimiter: str,
    quote: str,
    is_row: Callable[[list[str]], bool],
) -> Iterator[tuple[int, list[str]]]:
    """Yield the row that a line begins whose quoted field holds line ends, with how many lines more it takes.

    A stray quote must not swallow the rows below: lines that are rows by themselves are no part of one.
    """
    for more, line in enumerate(following, start=1):
        if line is None or len(text) + len(line) > MAX_LINE_LENGTH:
            return
        if delimiter in line:
            with suppress(ValueError):
                if is_row(split(line, delimiter, quote)):
                    return
        text = f"{text}\n{line}"
        if quote in line:
            try:
                fields = split(text, delimiter, quote)
            except _Unfinished:
                continue
            except ValueError:
                return  # whatever follows
            yield more, fields


def _read(
    form: _Form, lines: Callable[[], Iterable[Line]], bad: BadRows, usable: Callable[[list[str]], bool]
) -> Iterator[Row]:
    delimiter, width, quote = form.delimiter, form.width, form.quote
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
            fields = split(text, delimiter, quote)
        except ValueError as error:
            if not isinstance(error, _Unfinished):
                bad.add(number, str(error))
                continue
            while len(waiting) < _MAX_LINES and (ahead := next(source, None)) is not None:
                waiting.append(ahead)
            following = [after for _, after in waiting]
            for more, joined in _longer(text, following, delimiter, quote, is_row):
                if is_row(joined):
                    for _ in range(more):
                        waiting.popleft()
                    yield number, joined
                    break
            else:
                bad.add(number, str(error))
            continue
        if len(fields) != width:
            if form.fractions:
                fields = _with_fractions(form, fields)
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
