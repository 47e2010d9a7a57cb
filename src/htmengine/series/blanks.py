"""Text whose fields stand between blanks, as sar, vmstat, iostat and many logs print: made for people.

Above the rows stand names, once or on every page; a time may stand before the fields, behind them, or on a line of its
own above several rows; fields with blanks stand in quotes or brackets.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Final, NamedTuple

from htmengine.series import numbers, timestamps, units
from htmengine.series.lines import Line
from htmengine.series.tables import BadRows, Row, Table

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATE = rf"(?:\d{{4}}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.]\d{{2,4}}|\d\d?[ -]{_MONTH}[ -]\d{{4}}|{_MONTH}\s+\d\d?,?\s+\d{{4}})"
_CLOCK = r"\d\d?:\d\d(?::\d\d(?:[.,]\d+)?)?"
_ZONE = r"(?:[A-Z]{3,4}|Z|[+-]\d\d:?\d\d)(?![\w%/.-])"
_TIME = (
    rf"(?:{_DATE},?[T\s]+{_CLOCK}(?:\s?[AP]M\b)?(?:\s*(?:Z|[+-]\d\d:?\d\d))?"
    rf"|(?:[a-z]{{3}}\s+)?{_MONTH}\s+\d\d?\s+{_CLOCK}(?:\s+{_ZONE})?\s+\d{{4}}"
    rf"|(?:{_MONTH}\s+\d\d?|[DIWEF]\d{{4}})\s+{_CLOCK}"
    rf"|{_CLOCK}\s?[AP]M\b)"
)
_LEADING = re.compile(rf"\s*({_TIME})(?=\s|$)", re.IGNORECASE | re.ASCII)
_TRAILING = re.compile(rf"(?<=\s)({_TIME})\s*$", re.IGNORECASE | re.ASCII)
_CLOCK_FIRST = re.compile(rf"\s*({_CLOCK})(?=\s|$)", re.ASCII)
_STAMPED = re.compile(r"\s*(1\d{9}):(?=\s)")  # as rrdtool fetch writes times
_ABOVE = re.compile(rf"[\s=*~>\[(-]*({_TIME}|{_DATE})[\s=*~<\])-]*$", re.IGNORECASE | re.ASCII)
_SOME_DATE = re.compile(rf"(?<![\w.]){_DATE}(?![\w.])", re.IGNORECASE | re.ASCII)
_FIELD = re.compile(r'"([^"]*)"|(\[[^\]]*\])|([^\s"]+="[^"]*"|\S+)')
_BANNER = re.compile(r"(?:Linux|SunOS|AIX|HP-UX|Darwin|\w*BSD)\s")
_SUMMARY = re.compile(r"\s*(?:Average|Durchschn|Moyenne|Media|Summary|Total)\w*\.?:", re.IGNORECASE)
_PAIR = re.compile(r"([A-Za-z_][\w.]*)=\"?([^\"]*)\"?")
_RULE = re.compile(r"[-=+|\s]+$")
_MAX_ABOVE = 20  # different lines of words: names, titles, banners
_TIME_COLUMN: Final = "time"
# Common logs have no header: these are the names that their servers give the fields.
_LOGS: Final = (
    (
        re.compile(r'\S+ \S+ \S+ \[[^\]]+\] "[^"]*" \d{3} (?:\d+|-)'),
        ("client", "ident", "user", "time", "request", "status", "bytes", "referer", "agent"),
    ),
    (
        re.compile(r"\d+ \d+ \d+ \d+ 1\d{9} \d{1,6}(?: \d+){0,2}$"),
        (
            "client_id",
            "transaction_no",
            "latency_us",
            "script_no",
            "time",
            "time_us",
            "schedule_lag",
            "retries",
        ),
    ),
)


class _Form(NamedTuple):
    """The names above some rows; None where there are none."""

    names: tuple[str, ...] | None
    width: int


def candidates(
    head: Sequence[Line], lines: Callable[[], Iterable[Line]], *, alone: bool = False
) -> list[Table]:
    """Return the tables of a text with blanks between its fields, in the order in which they begin; likewise."""
    narrowest = 1 if alone else 2
    parser = _Parser()
    rows: dict[_Form, list[Row]] = {}
    for form, row in parser.rows(head, BadRows()):
        if form.width >= narrowest:
            rows.setdefault(form, []).append(row)
    forms = [form for form, _ in Counter({form: len(found) for form, found in rows.items()}).most_common()]
    forms = [
        form for form in rows if 10 * len(rows[form]) >= len(rows[forms[0]])
    ]  # else they are rows that are broken
    if not forms:
        return []
    shared = _Shared(forms, lines)
    return [
        Table(
            _label(form, forms),
            form.names,
            form.width,
            " ",
            rows[form],
            partial(shared.read, form),
            day=parser.day,
        )
        for form in forms
    ]


def _label(form: _Form, forms: Sequence[_Form]) -> str:
    if len(forms) == 1:
        return ""
    names = [name for name in form.names or () if name != _TIME_COLUMN]
    return " ".join(names[:3]) or f"{form.width} fields"


class _Shared:
    """The rows of all tables of one text, which is read once."""

    def __init__(self, forms: Sequence[_Form], lines: Callable[[], Iterable[Line]]) -> None:
        self._forms = forms
        self._lines = lines
        self._rows: dict[_Form, list[Row]] | None = None
        self._bad = BadRows()

    def read(self, form: _Form, bad: BadRows, _usable: Callable[[list[str]], bool]) -> Iterator[Row]:
        if len(self._forms) == 1:
            for found, row in _Parser().rows(self._lines(), bad):
                if found == form:
                    yield row
                else:
                    bad.add(row[0], _width(len(row[1]), form.width))
            return
        if self._rows is None:
            self._rows = {form: [] for form in self._forms}
            for found, row in _Parser().rows(self._lines(), self._bad):
                if found in self._rows:
                    self._rows[found].append(row)
                else:
                    self._bad.add(row[0], f"{len(row[1])} fields, as in no table of this file")
        yield from self._rows[form]


def _width(found: int, wanted: int) -> str:
    return f"{found} field{'s' * (found != 1)} instead of {wanted}"


class _Parser:
    """Reads lines one after the other; keeps the names, the time and the date that stand above them."""

    def __init__(self) -> None:
        self.day: str | None = None
        self._names: list[str] | None = None
        self._time: str | None = None
        self._above: set[str] = set()

    def rows(self, lines: Iterable[Line], bad: BadRows) -> Iterator[tuple[_Form, Row]]:
        for number, text in lines:
            if text is None:
                bad.add(number, "too long")
                continue
            if not text or text.isspace() or _RULE.match(text) or _SUMMARY.match(text):
                continue
            if text.startswith("#"):
                names = _fields(text.lstrip("# "))
                if self._names is None and names and not any(map(_is_data, names)):
                    self._names = names
                continue
            if above := _ABOVE.match(text):
                self._time = above[1]
                continue
            fields = _fields(text)
            time_first = _LEADING.match(text) or _CLOCK_FIRST.match(text)
            if pairs := _pairs(fields, timed=bool(time_first)):
                yield (
                    _Form(tuple(name for name, _ in pairs), len(pairs)),
                    (number, [cell for _, cell in pairs]),
                )
                continue
            rest = fields[1:] if time_first else fields
            if _BANNER.match(text) or (rest and not any(map(_is_data, rest))):
                if self._is_known(" ".join(rest)):
                    self._note(text, [_TIME_COLUMN, *rest] if time_first else fields, bool(time_first))
                else:
                    bad.add(number, "holds no number")
                continue
            yield self._placed(text, number, fields)

    def _is_known(self, words: str) -> bool:
        """Whether a line of words is one of the few that stand above rows, again and again: others are rows that are broken."""
        if words not in self._above and len(self._above) < _MAX_ABOVE:
            self._above.add(words)
        return words in self._above

    def _note(self, text: str, names: list[str], has_time: bool) -> None:
        """Keep what stands above rows: names, or a date in a line of another kind."""
        found = None if has_time else _SOME_DATE.search(text)
        if found:
            self.day = found.group()
        elif len(names) > 1 or not self._names:
            self._names = names

    def _placed(self, text: str, number: int, fields: list[str]) -> tuple[_Form, Row]:
        names = self._names
        for pattern, known in _LOGS:
            if names is None and pattern.match(text):
                names = list(known[: len(fields)]) + [
                    f"field {i + 1}" for i in range(len(known), len(fields))
                ]
        if names is not None:
            if len(names) == len(fields) + 1:
                # `avg-cpu:` names the row and not a column; day and time of day have two names and are one field.
                names = names[1:] if names[0].endswith(":") else [f"{names[0]} {names[1]}", *names[2:]]
            if len(names) != len(fields):
                names = None
        if self._time is not None:
            fields = [self._time, *fields]
            names = names and [_TIME_COLUMN, *names]
        return _Form(tuple(names) if names else None, len(fields)), (number, fields)


def _fields(text: str) -> list[str]:
    """Return the fields of a line; a time that has blanks is one at its beginning or its end, a number has its unit."""
    before: list[str] = []
    after: list[str] = []
    if leading := _LEADING.match(text):
        before, text = [leading[1]], text[leading.end() :]
    elif trailing := _TRAILING.search(text):
        after, text = [trailing[1]], text[: trailing.start()]
    elif stamped := _STAMPED.match(text):
        before, text = [stamped[1]], text[stamped.end() :]
    fields: list[str] = []
    for quoted, bracketed, word in _FIELD.findall(text):
        field = (quoted or bracketed or word).strip()
        if field.endswith(",") and field[-2:-1].isdigit():
            field = field[:-1]  # as in a list for people: `load average: 0.50, 0.40, 0.30`
        if (
            len(field) > 1
            and fields
            and fields[-1][-1:].isdigit()
            and units.factor(field)
            and _is_data(fields[-1])
        ):
            fields[-1] += f" {field}"
        else:
            fields.append(field)
    return before + fields + after


def _pairs(fields: Sequence[str], *, timed: bool) -> list[tuple[str, str]]:
    """Return the names and cells of a line such as `level=info latency=12ms`; empty if it is none.

    It is one where most fields are pairs, or where two have numbers; behind a time (`timed`) one is enough.
    """
    found = [_PAIR.fullmatch(field) for field in fields]
    if 2 * sum(map(bool, found)) <= len(found):
        numbered = sum(1 for pair in found if pair and units.split(pair[2]))
        if numbered < 2 and not (numbered and (timed or _is_time(fields[0]))):
            return []
    return [(pair[1], pair[2]) if pair else ("", field) for pair, field in zip(found, fields, strict=True)]


def _is_time(field: str) -> bool:
    found = timestamps.detect([field])
    return found is not None and found.format.parse(field) >= timestamps.PLAUSIBLE_CLOCK


def _is_data(field: str) -> bool:
    pair = units.split(field)
    if (
        pair
        and (not pair[1] or units.factor(pair[1]))
        and numbers.count_numbers(numbers.detect([field], delimiter=" "), [field])
    ):
        return True
    return timestamps.detect([field]) is not None or (field.lower() in numbers.MISSING and field != "-")
