"""Targets of settings, and notices that are a danger to receivers."""

from pathlib import Path

from benchmarks.receivers import HttpReceiver, Request, raw_server
from htmengine.alerts import toml_tables
from htmengine.alerts.targets import kinds
from tests.unit.alerts.notices import FIRST, notice

__all__ = ["HttpReceiver", "Request", "made", "nasty_notice", "raw_server", "target_of"]

NASTY = 'web;q="1"\r\nSubject: <script>alert(1)</script> <!channel> \x1b[31m\x00\u202e`*_~' + "ä" * 300
"""A name of a metric, as somebody would choose it who wishes receivers ill."""


def made(settings, folder=Path("/nowhere"), environment=None, name="ops"):
    """Return the target of a table of settings, and what is wrong with it, a line each."""
    table = toml_tables.parse(f"[targets.{name}]\n{settings}", "alerts.toml")
    ((_, own),) = table.tables("targets")
    target = kinds.make(name, own, folder, environment=environment or {})
    return target, [fault.text for fault in own.faults]


def target_of(settings, folder=Path("/nowhere"), environment=None):
    """Return the target of settings that can be used."""
    target, faults = made(settings, folder, environment)
    assert faults == []
    return target


def nasty_notice(kind="opened", **changes):
    """Return a notice of metrics whose names are a danger to receivers."""
    facts = FIRST.__class__(name=NASTY, first=FIRST.first, sentence=f"{NASTY} is high", reason="high")
    first = notice().first.__class__("i7.1", "warning", NASTY)
    return notice(
        kind,
        **{
            "first": first,
            "first_mover": NASTY,
            "metrics": (facts,) * 20,
            "metric_count": 400,
            "sentence": f"began with {NASTY}: {NASTY} is high",
            "hint": NASTY,
            "url": "https://engine.example/i/i7",
        }
        | changes,
    )
