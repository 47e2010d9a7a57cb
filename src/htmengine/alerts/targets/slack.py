"""Slack, and what takes the same messages, such as Mattermost: an incoming webhook gets a message for each notice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from htmengine.alerts.notice import RESOLVED, Notice, metric_line, sentence_of
from htmengine.alerts.targets.api import Outcome
from htmengine.alerts.targets.http import Receiver
from htmengine.alerts.targets.settings import Settings
from htmengine.alerts.targets.texts import is_address, one_line
from htmengine.readable import counted

KIND: Final = "slack"
PAUSE_S: Final = 1.0
"""Slack takes one message a second."""
MAX_HEADER: Final = 150
MAX_SECTION: Final = 2900
"""Slack takes 3000."""
MAX_LINE: Final = 400
MAX_METRICS: Final = 5

_SIGNS: Final = {
    "critical": ":red_circle:",
    "warning": ":large_orange_circle:",
    "info": ":large_blue_circle:",
}
_SIGN_OF_RESOLVED: Final = ":large_green_circle:"


class Slack:
    """Posts a message for each notice, at most one a second.

    Parameters
    ----------
    timer : seconds that only grow.
    sleep : waits so many.
    """

    kind = KIND
    repeat_s = None
    repeat_resolved_s = 0.0

    def __init__(
        self,
        name: str,
        receiver: Receiver,
        *,
        timer: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self._receiver = receiver
        self._timer = timer
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = 0.0

    def send(self, notice: Notice) -> Outcome:
        """Post its message, a second after the one before."""
        with self._lock:
            begin = max(self._timer(), self._next)
            self._next = begin + PAUSE_S
        wait = begin - self._timer()
        if wait > 0:
            self._sleep(wait)
        return self._receiver.post(msgspec.json.encode(message(notice)))

    def describe(self) -> Mapping[str, str]:
        """Return its settings, without secrets."""
        return {"url": self._receiver.shown}

    def close(self) -> None:
        """Nothing is held."""

    def __repr__(self) -> str:
        return f"Slack({self.name}, {self._receiver.shown})"


def message(notice: Notice) -> dict[str, Any]:
    """Return the message of a notice."""
    sign = _SIGN_OF_RESOLVED if notice.kind == RESOLVED else _SIGNS[notice.severity]
    lines = [f"{_escaped(sentence_of(notice))}."]
    if notice.hint:
        lines.append(_escaped(notice.hint))
    if notice.metric_count > 1:
        shown = notice.metrics[:MAX_METRICS]
        lines += [f"• {_escaped(metric_line(metric))}" for metric in shown]
        if notice.metric_count > len(shown):
            lines.append(f"and {counted(notice.metric_count - len(shown), 'more metric')}")
    blocks: list[dict[str, Any]] = [
        {
            "type": "header",
            "text": {"type": "plain_text", "text": one_line(notice.title, MAX_HEADER), "emoji": False},
        },
        _section(_joined(lines, MAX_SECTION)),
    ]
    pages = [("Open", notice.url), *((link.text, link.url) for link in notice.actions)]
    links = [
        f"<{_escaped(url)}|{_escaped(text)}>" for text, url in pages if is_address(url) and "|" not in url
    ]
    about = f"{sign} {notice.incident} · {notice.state}"
    blocks.append({"type": "context", "elements": [_mrkdwn("   ".join([about, *links])[:MAX_SECTION])]})
    return {"text": f"{sign} {_escaped(notice.title)}: {_escaped(sentence_of(notice))}", "blocks": blocks}


def _joined(lines: list[str], characters: int) -> str:
    """Return as many lines as there is room for, so that no line is cut within a character's code."""
    found = lines[0]
    for line in lines[1:]:
        if len(found) + 1 + len(line) > characters:
            break
        found = f"{found}\n{line}"
    return found


def _escaped(text: str) -> str:
    """Return a text in which nothing is a command to Slack, such as one to call everybody."""
    short = one_line(text, MAX_LINE)
    return short.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str) -> dict[str, Any]:
    # verbatim: names are not searched for channels, people and addresses.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def read(settings: Settings) -> Slack | None:
    """Return the target of a table; None where something in it is wrong."""
    receiver = settings.receiver(inline=False, authorization=False)
    return None if receiver is None else Slack(settings.name, receiver)
