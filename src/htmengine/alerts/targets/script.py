"""A program of one's own: it gets the notice as JSON on its standard input, and the main facts in its environment.

What it exits with says what came of it: 0, it has the notice; 65 (EX_DATAERR of sysexits.h), it will never take it; all else,
it is to get the same again later, as when it takes too long or is killed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

from htmengine.alerts.notice import Notice, sentence_of
from htmengine.alerts.targets import event
from htmengine.alerts.targets.api import TIMEOUT_S, Delivered, Outcome, Refused, Retry
from htmengine.alerts.targets.settings import Settings
from htmengine.alerts.targets.texts import one_line
from htmengine.alerts.toml_tables import duration, texts

KIND: Final = "script"
EXIT_REFUSED: Final = os.EX_DATAERR
MAX_VALUE: Final = 4000
MAX_OUTPUT: Final = 4096
MAX_REASON: Final = 200
PASSED_ON: Final = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
"""Of our own environment; the rest may hold secrets."""


class Script:
    """Runs a program for each notice.

    Parameters
    ----------
    command : the program and its arguments; no shell reads them.
    folder : where it runs.
    environment : what it gets besides what is told of the notice.
    """

    kind = KIND
    repeat_s = None
    repeat_resolved_s = 0.0

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.name = name
        self._command = list(command)
        self._folder = folder
        self._environment = dict(environment)
        self._timeout_s = timeout_s

    def send(self, notice: Notice) -> Outcome:
        """Run it, and end whatever it has started."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            # Files, since pipes would keep us waiting for what it leaves behind.
            given.write(event.encoded(notice))
            given.seek(0)
            try:
                process = subprocess.Popen(
                    self._command,
                    stdin=given,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    cwd=self._folder,
                    env=self._environment | facts(notice),
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                return Retry(one_line(f"{self._command[0]} cannot be run: {error}", MAX_REASON))
            try:
                code = process.wait(self._timeout_s)
            except subprocess.TimeoutExpired:
                return Retry(f"it took longer than {self._timeout_s:g} s")
            finally:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            return _outcome(code, said)

    def describe(self) -> Mapping[str, str]:
        """Return its settings; arguments may hold secrets."""
        return {"program": self._command[0]}

    def close(self) -> None:
        """Nothing is held."""

    def __repr__(self) -> str:
        return f"Script({self.name}, {self._command[0]})"


def facts(notice: Notice) -> dict[str, str]:
    """Return what is told of a notice in environment variables, each on one line."""
    found = {
        "ID": notice.id,
        "KIND": notice.kind,
        "INCIDENT": notice.incident,
        "STATE": notice.state,
        "SEVERITY": notice.severity,
        "TITLE": notice.title,
        "WHY": sentence_of(notice),
        "METRIC": notice.first_mover,
        "METRIC_COUNT": str(notice.metric_count),
        "URL": notice.url,
        "RULE": notice.rule,
        "INSTALLATION": notice.installation,
    }
    return {
        f"HTMENGINE_{name}": one_line(value, MAX_VALUE).encode("utf-8", "replace").decode()
        for name, value in found.items()
    }


def _outcome(code: int, said: IO[bytes]) -> Outcome:
    end = said.seek(0, os.SEEK_END)
    said.seek(max(0, end - MAX_OUTPUT))
    lines = [line.strip() for line in said.read().decode("utf-8", "replace").splitlines() if line.strip()]
    last = one_line(lines[-1], MAX_REASON) if lines else ""
    if code == 0:
        return Delivered(last)
    ended = f"it exited with {code}" if code > 0 else f"it was killed by {_signal_name(-code)}"
    reason = f"{ended}: {last}" if last else ended
    return Refused(reason) if code == EXIT_REFUSED else Retry(reason)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def read(settings: Settings) -> Script | None:
    """Return the target of a table; None where something in it is wrong."""

    def found(value: Any) -> tuple[str, ...]:
        program, *arguments = texts(value)
        if any("\0" in part for part in (program, *arguments)):
            raise ValueError("has a character that no program can be given")
        # A name alone is looked for in PATH, any other path begins at the folder of the file.
        wanted = str(settings.folder / program) if "/" in program else program
        path = shutil.which(wanted, path=settings.environment.get("PATH", os.defpath))
        if path is None:
            raise ValueError(f"names no program that can be run: {wanted}")
        return path, *arguments

    command = settings.required("command", found, '["/usr/local/bin/notify", "--all"]')
    timeout = settings.get("timeout", _timeout)
    if command is None:
        return None
    passed = {key: settings.environment[key] for key in PASSED_ON if key in settings.environment}
    return Script(
        settings.name,
        command,
        folder=settings.folder,
        environment=passed,
        timeout_s=timeout or TIMEOUT_S,
    )


def _timeout(value: Any) -> float:
    seconds = duration(value)
    if not 0 < seconds <= TIMEOUT_S:
        raise ValueError(f"is not above 0, or more than {TIMEOUT_S:g}s")
    return seconds
