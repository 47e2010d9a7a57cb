"""The terminal of the program that runs the alerts: a line for each notice."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from htmengine.alerts.notice import Notice, sentence_of
from htmengine.alerts.targets.api import Delivered, Outcome, Retry
from htmengine.alerts.targets.settings import Settings
from htmengine.alerts.targets.texts import one_line

KIND: Final = "terminal"
MAX_LINE: Final = 500


class Terminal:
    """Prints a line for each notice.

    Parameters
    ----------
    write : takes a line without its end; by default it goes to the standard error.
    """

    kind = KIND
    repeat_s = None
    repeat_resolved_s = 0.0

    def __init__(self, name: str, write: Callable[[str], object] | None = None) -> None:
        self.name = name
        self._write = write or _to_stderr

    def send(self, notice: Notice) -> Outcome:
        """Print it."""
        try:
            self._write(line(notice))
        except (OSError, ValueError) as error:  # ValueError: it is closed
            return Retry(f"the terminal takes nothing: {error}")
        return Delivered()

    def describe(self) -> Mapping[str, str]:
        """Return where it prints: it has no settings."""
        return {"to": "standard error"}

    def close(self) -> None:
        """Nothing is held."""

    def __repr__(self) -> str:
        return f"Terminal({self.name})"


def line(notice: Notice) -> str:
    """Return a notice as one line, with the time of day of this machine."""
    time = datetime.fromtimestamp(notice.time).astimezone().strftime("%H:%M:%S")
    where = f"  {notice.url}" if notice.url else ""
    return f"{time} {one_line(f'{notice.title}: {sentence_of(notice)}', MAX_LINE)}{one_line(where, MAX_LINE)}"


def _to_stderr(text: str) -> None:
    # In one piece, so that lines of several threads do not mix.
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def read(settings: Settings) -> Terminal:
    """Return the target of a table."""
    return Terminal(settings.name)
