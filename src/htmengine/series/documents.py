"""JSON: documents of monitoring tools, a document a line, and documents one after the other.

No tool is known by name. Series stand in JSON in five ways, and what stands around them tells them apart:

- a list of objects, one for each row: `[{"Timestamp": "…", "Average": 49.7}, …]`;
- a list of rows: `[[49.7, 1709510400], …]`, with names beside it or without;
- lists of equal length beside each other, one for each column: `{"timestamps": […], "values": […]}`;
- a list of such lists: `{"fields": ["time", "value"], "values": [[…], […]]}`;
- an object from times to values: `{"1709510400": 49.7, …}`.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from htmengine.errors import MisuseError
from htmengine.series import timestamps
from htmengine.series.lines import Line
from htmengine.series.tables import Row, Table, in_memory

_SEPARATOR: Final = "\x1e"  # before each document of a sequence, RFC 7464
_BEGINS = re.compile(r"\s*(?:\{\s*[\"}]|\[\s*(?:[\[\]{\"]|-?\d+(?:\.\d+)?\s*,|$))|\s*[\[{]\s*$")
_YAML_ITEM = re.compile(r"\s*-\s+(?:[\w.\"'-]+:\s|\[)")
_NAMES = ("columns", "fields", "labels", "names", "header", "schema", "meta")
_NAME_KEYS = ("name", "text", "title", "label", "id")
_Labels = tuple[tuple[str, str], ...]


class _Fragment(NamedTuple):
    """Rows found in one place of a document."""

    labels: _Labels  # what stands around them: names with texts
    names: tuple[str, ...] | None
    rows: list[list[str]]


def is_json(first: str) -> bool:
    """Whether a text whose first line that is not blank is `first` may be JSON."""
    return bool(_BEGINS.match(first.lstrip(_SEPARATOR)))


def is_yaml(head: Sequence[Line]) -> bool:
    """Whether a text of these first lines may be YAML: a document's mark, or lists whose items are mappings or lists."""
    texts = [text for _, text in head if text and not text.isspace()]
    items = sum(1 for text in texts if _YAML_ITEM.match(text))
    return bool(texts) and (texts[0].startswith("---") or 4 * items >= len(texts))


def tables(lines: Iterable[Line], name: str) -> list[Table] | None:
    """Return the tables of a document, or of a document a line; None if the text turns out to be no JSON.

    Raises
    ------
    MisuseError : the text is JSON without series, or JSON that is broken.
    """
    stripped = ((number, text.lstrip(_SEPARATOR)) for number, text in lines if text)
    texts = [(number, text) for number, text in stripped if text and not text.isspace()]
    by_line = len(texts) > 1 and all(_document(text) is not _BROKEN for _, text in texts[:2])
    if by_line:
        return _of_lines(texts, name)
    whole = "\n".join(text for _, text in texts)
    try:
        document = _in_sequence(whole)
    except (ValueError, RecursionError) as error:
        if whole.lstrip().startswith("["):
            return None  # a log whose times stand in brackets
        raise MisuseError(
            f"{name}: is JSON that cannot be read: {error}.",
            hint="Give the whole document as the tool wrote it.",
        ) from error
    found = _merged(list(_fragments(document, (), ())))
    if not found and isinstance(document, dict) and len(texts) == 1:
        return _of_lines(texts, name)  # of one document
    if not found:
        raise MisuseError(
            f"{name}: is JSON without a series in it.",
            hint="Give a list of objects with a time and a value, or what CloudWatch, Prometheus, Grafana or Graphite return.",
        )
    return found


def _loads(text: str) -> Any:
    # Numbers stay as they are written: they become cells.
    return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)


def _in_sequence(text: str) -> Any:
    """Return the document of a text, or the list of those that stand one after the other, as jq prints them."""
    decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
    documents = []
    position = len(text) - len(text.lstrip())
    while position < len(text):
        document, end = decoder.raw_decode(text, position)
        documents.append(document)
        position = end + len(text[end:]) - len(text[end:].lstrip()) if end < len(text) else end
    return documents[0] if len(documents) == 1 else documents


_BROKEN: Final = object()


def _document(text: str) -> Any:
    try:
        document = _loads(text)
    except (ValueError, RecursionError):
        return _BROKEN
    return document if isinstance(document, dict | list) else _BROKEN


def _of_lines(texts: Sequence[tuple[int, str]], name: str) -> list[Table]:
    """Return the tables of a document a line. Lines without nested lists are rows of one table."""
    columns: dict[str, int] = {}
    rows: list[Row] = []
    nested: list[Any] = []
    broken: list[tuple[int, str]] = []
    for number, text in texts:
        document = _document(text)
        if document is _BROKEN:
            broken.append((number, "not a JSON document"))
        elif isinstance(document, dict) and not _holds_series(document):
            cells = dict(_flat(document))
            for key in cells:
                columns.setdefault(key, len(columns))
            fields = [""] * len(columns)
            for key, cell in cells.items():
                fields[columns[key]] = cell
            rows.append((number, fields))
        else:
            nested.append(document)
    if nested and len(nested) >= len(rows) and (found := _merged(list(_fragments(nested, (), ())))):
        return found
    if not rows:
        raise MisuseError(
            f"{name}: is JSON without a series in it.",
            hint="Give an object with a time and a value on each line.",
        )
    for _, fields in rows:
        fields += [""] * (len(columns) - len(fields))
    return [in_memory("", _leaves(list(columns)), len(columns), rows, broken)]


def _merged(fragments: Sequence[_Fragment]) -> list[Table]:
    """Return a table for each kind of rows; what tells fragments of one kind apart becomes columns."""
    kinds: dict[tuple[tuple[str, ...] | None, int], list[_Fragment]] = {}
    for fragment in fragments:
        if fragment.rows:
            kinds.setdefault((fragment.names, len(fragment.rows[0])), []).append(fragment)
    found = []
    for (names, width), same in kinds.items():
        label_names = list(dict.fromkeys(key for fragment in same for key, _ in fragment.labels))
        labels = [dict(fragment.labels) for fragment in same]
        varying = [key for key in label_names if len({label.get(key, "") for label in labels}) > 1]
        rows = [
            [*(label.get(key, "") for key in varying), *row]
            for label, fragment in zip(labels, same, strict=True)
            for row in fragment.rows
        ]
        named = None if names is None and not varying else _leaves([*varying, *(names or _unnamed(same))])
        title = next(iter(labels[0].values()), "") if len(kinds) > 1 else ""
        numbered = [(number, row) for number, row in enumerate(rows, start=1)]
        found.append(in_memory(title, named, len(varying) + width, numbered))
    return found


def _leaves(names: list[str]) -> list[str]:
    """Return names such as `metric.instance` without what they share with no other: `instance`."""
    leaves = [name.rpartition(".")[2] for name in names]
    return [
        leaf if leaf and leaves.count(leaf) == 1 else name for leaf, name in zip(leaves, names, strict=True)
    ]


def _unnamed(fragments: Sequence[_Fragment]) -> list[str]:
    """Return names for the columns of rows that have none: of two, one is the time."""
    width = len(fragments[0].rows[0])
    if width == 2:
        for time in (0, 1):
            cells = [row[time] for fragment in fragments for row in fragment.rows[:20] if row[time]]
            if cells and all(_is_moment(cell) for cell in cells):
                return ["time", "value"] if time == 0 else ["value", "time"]
    return [f"field {i + 1}" for i in range(width)]


def _is_moment(cell: str) -> bool:
    detection = timestamps.detect([cell])
    if detection is None:
        return False
    return (
        detection.format not in timestamps.EPOCHS
        or abs(detection.format.parse(cell)) >= timestamps.PLAUSIBLE_CLOCK
    )


def _fragments(node: Any, labels: _Labels, names: tuple[str, ...]) -> Iterator[_Fragment]:
    if isinstance(node, dict):
        yield from _of_object(node, labels, names)
    elif isinstance(node, list):
        yield from _of_list(node, labels, names)


def _of_object(node: Mapping[str, Any], labels: _Labels, names: tuple[str, ...]) -> Iterator[_Fragment]:
    named = _names(node) or names
    if by_time := _by_time(node, labels):
        yield by_time
        return
    if numbered := _by_number(node, labels):
        yield numbered
        return
    columns = {key: cells for key, cells in node.items() if _is_column(cells) and key not in _NAMES}
    lengths = {len(cells) for cells in columns.values()}
    around = labels + tuple((key, cell) for key, cell in _flat(node) if cell)
    if len(columns) > 1 and len(lengths) == 1:
        yield _Fragment(around, tuple(columns), _transposed(list(columns.values())))
        columns_taken = set(columns)
    else:
        columns_taken = set()
    index = node.get("index")
    for key, child in node.items():
        if key in columns_taken or key in _NAMES:
            continue
        if (
            key == "data"
            and isinstance(index, list)
            and isinstance(child, list)
            and len(index) == len(child)
            and _is_rows(child)
        ):
            rows = [
                [_cell(at), *map(_cell, row)] for at, row in zip(index, child, strict=True)
            ]  # as pandas splits a table
            yield _Fragment(around, ("index", *named), rows)
            continue
        yield from _fragments(child, (*around, ("series", key)) if _is_series(child) else around, named)


def _of_list(node: Sequence[Any], labels: _Labels, names: tuple[str, ...]) -> Iterator[_Fragment]:
    if not node:
        return
    if all(isinstance(item, dict) for item in node):
        if any(map(_holds_series, node)):
            for item in node:
                yield from _fragments(item, labels, names)
            return
        keys = list(dict.fromkeys(key for item in node for key, _ in _flat(item)))
        flat = [dict(_flat(item)) for item in node]
        if keys:
            yield _Fragment(labels, tuple(keys), [[row.get(key, "") for key in keys] for row in flat])
    elif _is_rows(node):
        width = len(node[0])
        by_column = len(names) == len(node) != width or (
            not names and len(node) < width and any(all(map(_is_moment, map(_cell, cells))) for cells in node)
        )
        rows = _transposed(node) if by_column else [[_cell(cell) for cell in row] for row in node]
        if rows:
            yield _Fragment(labels, names if len(names) == len(rows[0]) else None, rows)
    elif all(isinstance(item, list) for item in node):
        for item in node:
            yield from _fragments(item, labels, names)
    elif _is_column(node):
        if len(node) > 1:
            yield _Fragment(labels, None, [[_cell(item)] for item in node])
    else:
        for item in node:
            yield from _fragments(item, labels, names)


def _names(node: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of columns that stand in an object, such as `fields`; empty if there are none."""
    for key in _NAMES:
        listed = node.get(key)
        if isinstance(listed, dict):
            if found := _names(listed):
                return found
        elif isinstance(listed, list) and listed:
            found = tuple(filter(None, map(_name, listed)))
            if len(found) == len(listed):
                return found
    return ()


def _name(item: Any) -> str | None:
    if isinstance(item, str):
        return item
    if not isinstance(item, dict):
        return None
    name = next((item[key] for key in _NAME_KEYS if isinstance(item.get(key), str)), None)
    labels = item.get("labels")
    if name is not None and isinstance(labels, dict) and labels:
        name += " " + ", ".join(f"{key}={_cell(value)}" for key, value in labels.items())
    return name


def _by_time(node: Mapping[str, Any], labels: _Labels) -> _Fragment | None:
    """Return the rows of an object from times to values, or to objects of values; None if it is none."""
    if not node or not all(map(_is_moment, list(node)[:3])):
        return None
    values = list(node.values())
    if all(map(_is_scalar, values)):
        return _Fragment(labels, ("time", "value"), [[key, _cell(value)] for key, value in node.items()])
    if all(isinstance(value, dict) and not _holds_series(value) for value in values):
        flat = {key: dict(_flat(value)) for key, value in node.items()}
        names = list(dict.fromkeys(name for row in flat.values() for name in row))
        return _Fragment(
            labels,
            ("time", *names),
            [[key, *(row.get(name, "") for name in names)] for key, row in flat.items()],
        )
    return None


def _by_number(node: Mapping[str, Any], labels: _Labels) -> _Fragment | None:
    """Return the rows of an object of columns, each an object from running numbers to cells; None if it is none."""
    columns = list(node.values())
    if len(columns) < 2 or not all(isinstance(column, dict) and column for column in columns):
        return None
    numbers = list(columns[0])
    if not all(number.isdecimal() for number in numbers) or any(
        list(column) != numbers for column in columns
    ):
        return None
    cells = [list(column.values()) for column in columns]
    return _Fragment(labels, tuple(node), _transposed(cells)) if all(map(_is_column, cells)) else None


def _holds_series(node: Any) -> bool:
    """Whether there is a list that is not empty, or an object from times to values, anywhere below."""
    if isinstance(node, list):
        return bool(node)
    if isinstance(node, dict):
        return (
            _by_time(node, ()) is not None
            or _by_number(node, ()) is not None
            or any(map(_holds_series, node.values()))
        )
    return False


def _is_series(node: Any) -> bool:
    return isinstance(node, list) or (isinstance(node, dict) and _by_time(node, ()) is not None)


def _is_rows(node: Sequence[Any]) -> bool:
    widths = {len(row) if _is_column(row) else 0 for row in node}
    return len(widths) == 1 and not widths & {0}


def _is_column(node: Any) -> bool:
    return isinstance(node, list) and all(map(_is_scalar, node))


def _is_scalar(node: Any) -> bool:
    return node is None or isinstance(node, str | bool)  # numbers are texts here


def _transposed(columns: Sequence[Sequence[Any]]) -> list[list[str]]:
    return [[_cell(cell) for cell in row] for row in zip(*columns, strict=True)]


def _cell(scalar: Any) -> str:
    if scalar is None:
        return ""
    return str(scalar).lower() if isinstance(scalar, bool) else str(scalar).strip()


def _flat(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the texts of an object and of the objects in it, with their names; `interval.startTime`."""
    for key, value in node.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{path}{key}.")
        elif _is_scalar(value):
            yield f"{path}{key}", _cell(value)
