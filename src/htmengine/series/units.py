"""Units behind numbers: `1.46 GiB`, `12 ms`, `250m`, `1.2 K req/s`, `1h 5m`. Which ones differ in size alone.

A column has one base: bytes, bits, seconds or whatever its unit counts. Prefixes become factors, so that `980 MiB`
and `1.2 GiB` in one column are on one scale.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple

_DECIMAL = {"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_BINARY = {f"{prefix}i": 2.0 ** (10 * power) for power, prefix in enumerate("KMGTPE", start=1)} | {
    "ki": 1024.0
}
_SMALL = {"m": 1e-3, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "n": 1e-9, "p": 1e-12}
_WORDS = {
    "thousand": 1e3,
    "mil": 1e6,
    "million": 1e6,
    "mio": 1e6,
    "bil": 1e9,
    "billion": 1e9,
    "bn": 1e9,
    "tri": 1e12,
    "trillion": 1e12,
}
_TIMES = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "msec": 1e-3,
    "millis": 1e-3,
    "s": 1.0,
    "sec": 1.0,
    "secs": 1.0,
    "second": 1.0,
    "seconds": 1.0,
    "min": 60.0,
    "mins": 60.0,
    "minute": 60.0,
    "minutes": 60.0,
    "h": 3600.0,
    "hr": 3600.0,
    "hrs": 3600.0,
    "hour": 3600.0,
    "hours": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
    "days": 86400.0,
    "w": 604800.0,
    "week": 604800.0,
    "weeks": 604800.0,
    "year": 31557600.0,
    "years": 31557600.0,
}
# What a prefix may stand before.
_BASES = (
    "B", "b", "bit", "bits", "byte", "bytes", "Byte", "Bytes", "bps", "Bps", "Hz", "W", "Wh", "V", "A", "VA", "J", "Pa",
    "g", "Ohm", "Ω", "req", "reqs", "ops", "iops", "pps", "rps", "wps", "qps", "cps", "eps", "tps", "msg", "msgs",
    "pkt", "pkts", "packets", "events", "c", "lm", "lx", "eV", "",
)  # fmt: skip
_RATE = re.compile(r"^(.*?)(/s|/sec|ps|/min|/h)?$")
_PARTS = re.compile(r"(\d+(?:[.,]\d+)?)\s*([a-zµμ]+)\s*", re.IGNORECASE)


def split(text: str) -> tuple[str, str] | None:
    """Return the number of a text such as `1.46 GiB` and its unit; None if a text does not look so.

    A sign of currency or of inequality before the number is no part of it.
    """
    match = _WITH_UNIT.fullmatch(text)
    return (match[1], match[2].strip()) if match else None


_WITH_UNIT = re.compile(
    r"(?:[$€£¥~≈]|[<>]=?|[A-Z]{3}\s)?\s*([+-]?(?:\d[\d.,' \u00a0\u202f]*|\.\d+)(?<![\s])(?:[eE][+-]?\d+(?![a-zA-Z]))?)"
    r"\s*([^\d\s.,;:+\-][^\d;:]{0,20}?|)",
    re.ASCII,
)


@cache
def factor(unit: str, *, minutes: bool = False) -> tuple[str, float] | None:
    """Return what a unit counts, and how many of these one is; None if it is not known.

    `minutes`: whether `m` stands for minutes, as between hours and seconds, and not for thousandths.
    """
    if unit == "m" and minutes:
        return "s", 60.0
    if unit in _TIMES:
        return "s", _TIMES[unit]
    if unit.lower() in _TIMES and len(unit) > 2:
        return "s", _TIMES[unit.lower()]
    if unit.lower() in _WORDS:
        return "", _WORDS[unit.lower()]
    if unit in ("%", "percent", "pct"):
        return "%", 1.0
    match = _RATE.match(unit)
    stem, per = (match[1], match[2] or "") if match else (unit, "")
    for whole, rate in ((unit, ""), (stem.strip(), per)):
        if (found := _prefixed(whole)) is not None:
            base, size = found
            return base + ("/s" if rate == "ps" else rate), size
    return None


def _prefixed(unit: str) -> tuple[str, float] | None:
    for base in _BASES:
        if not unit.endswith(base):
            continue
        prefix = unit[: len(unit) - len(base)].strip()
        for prefixes in (_BINARY, _DECIMAL, _SMALL):
            if prefix in prefixes:
                return base, prefixes[prefix]
        if not prefix:
            return base, 1.0
    return None


_ISO_DURATION = re.compile(r"P(\d+[DW])?(?:T((?:\d+(?:\.\d+)?[HMS])+))?", re.ASCII)
_CLOCK = re.compile(r"(?:(\d+)(?:\s+days?,?\s+|-))?(?:(\d+):)?(\d+):([0-5]\d(?:\.\d+)?)", re.ASCII)


def clock(text: str) -> float:
    """Return the seconds of a duration such as `1:02:03.5`, `02:03` or `1 day, 0:02:03`. Raises ValueError."""
    found = _CLOCK.fullmatch(text)
    if not found:
        raise ValueError(f"not a duration: {text!r}")
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return 86400 * days + 3600 * hours + 60 * minutes + seconds


class Scale(NamedTuple):
    """The units of a column, on one scale."""

    base: str  # what is counted: `B`, `s`, `°C`; empty where it has no name
    factors: Mapping[str, float]  # of each unit
    minutes: bool  # whether `m` stands for minutes


def scale(units: Iterable[str]) -> Scale | None:
    """Return the scale of a column's units; None if they do not count the same thing.

    A single unit that is not known, such as °C, counts itself, if every number has it. A number without unit is in
    the base.
    """
    distinct = set(units)
    named = distinct - {""}
    minutes = bool(named & {"h", "s", "d", "w", "ms", "sec", "hour"}) and not named & {
        "n",
        "u",
        "k",
        "K",
        "M",
        "Ki",
        "Mi",
    }
    factors: dict[str, float] = {"": 1.0}
    bases = set()
    for unit in named:
        found = factor(unit, minutes=minutes)
        if found is None:
            if len(distinct) > 1:
                return None
            found = unit, 1.0
        base, factors[unit] = found
        bases.add(base)
    bases.discard("")  # a bare prefix goes with any unit: Grafana writes `980` and `1.2 K`
    return Scale(bases.pop() if bases else "", factors, minutes) if len(bases) < 2 else None


def duration(text: str) -> float:
    """Return the seconds of a text such as `1h 5m 3s`, `2 d` or `PT5.2S` (ISO 8601). Raises ValueError."""
    if iso := _ISO_DURATION.fullmatch(text):
        text = f"{iso[1] or ''}{(iso[2] or '').lower()}"
    if not _PARTS.match(text) or _PARTS.sub("", text):
        raise ValueError(f"not a duration: {text!r}") from None
    seconds = 0.0
    for number, unit in _PARTS.findall(text):
        found = factor(unit if unit in _TIMES or unit == "m" else unit.lower(), minutes=True)
        if found is None or found[0] != "s":
            raise ValueError(f"{unit!r} is not a unit of time")
        seconds += float(number.replace(",", ".")) * found[1]
    return seconds
