"""How samples of all doors stand in messages of the metric-data queue: as lines.

A value that is a sample itself is a line of the plaintext protocol. Running totals, whose samples are made where rows are
numbered, have lines of their own, `name value timestamp kind start count`, with `-` for what is not known.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from htmengine.doors import names, plaintext
from htmengine.doors.reasons import BadSample, Reason
from htmengine.doors.samples import Kind, Parsed, Refusals, Samples, check_timestamp, check_value

TOTALS: Final = "totals"
"""The protocol of a message with running totals."""

_KINDS: Final = {kind.name.lower(): kind for kind in Kind if kind is not Kind.GAUGE}
_TEXTS: Final = {kind: text for text, kind in _KINDS.items()}
_UNKNOWN: Final = "-"


def written(samples: Samples) -> dict[str, list[str]]:
    """Return the lines of samples, by the protocol of the message that they belong into."""
    plain: list[str] = []
    totals: list[str] = []
    for name, timestamp, value, kind, start, count in zip(*samples, strict=True):
        if kind is Kind.GAUGE:
            plain.append(f"{name} {value!r} {int(timestamp // 1)}")
        else:
            totals.append(f"{name} {value!r} {timestamp!r} {_TEXTS[kind]} {_text(start)} {_text(count)}")
    return {protocol: lines for protocol, lines in ((plaintext.PROTOCOL, plain), (TOTALS, totals)) if lines}


def parse_totals(lines: Iterable[str]) -> Parsed:
    """Return the running totals of lines that `written` made."""
    samples, refusals = Samples.empty(), Refusals()
    for record, line in enumerate(lines, 1):
        try:
            name, *numbers, kind, start, count = line.split(" ")
            value, timestamp = map(float, numbers)
            of = _KINDS[kind]
            if reason := check_value(value) or check_timestamp(timestamp):
                refusals.add(reason, line, record)
                continue
            samples.add(names.read(name), timestamp, value, of, _number(start), _number(count))
        except BadSample as error:
            refusals.add(error.reason, line, record)
        except (ValueError, KeyError):
            refusals.add(Reason.SYNTAX, line, record)
    return Parsed(samples, refusals)


def _text(number: float | None) -> str:
    return _UNKNOWN if number is None else repr(number)


def _number(text: str) -> float | None:
    return None if text == _UNKNOWN else float(text)
