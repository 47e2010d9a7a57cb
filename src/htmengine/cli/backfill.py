"""What `htmengine backfill` does: send the histories of a source, and say what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from htmengine.cli import monitoring
from htmengine.cli.incidents import time_of
from htmengine.cli.progress import counting
from htmengine.cli.replay import wait_for
from htmengine.cli.session import installation, number_of, tell_if_nobody_takes, utc
from htmengine.cli.terminal import echo_stderr
from htmengine.errors import ExplainedError, MisuseError
from htmengine.histories.connection import Connection
from htmengine.histories.sending import Sent, send
from htmengine.histories.source import Source

SHOWN: Final = 10
"""So many failures, and so many metrics with rows of before, are named."""
EVERYTHING: Final = -1e10
"""Seconds since the epoch: before all that is kept anywhere."""


class Request(NamedTuple):
    """What the user asked for; see the options of `htmengine.cli.commands.backfill`."""

    since: str | None
    until: str | None
    prefix: str
    monitor: bool
    wait: bool
    dry_run: bool
    data: Path | None
    config: Path | None


Failures = dict[str, ExplainedError]
"""What could not be read, by its name."""


def connection(url: str, token_file: Path | None, user: str | None, password_file: Path | None) -> Connection:
    """Return a connection to a server. Raises MisuseError."""
    return Connection(
        url,
        token=_secret("--token-file", token_file),
        user=user,
        password=_secret("--password-file", password_file) or "",
    )


def run(request: Request, source: Callable[[Failures], Source]) -> tuple[dict[str, Any], int]:
    """Send the histories of a source; return what became of them, and the exit code: 1 if some could not be read."""
    since = EVERYTHING if request.since is None else time_of(request.since, option="--since")
    until = None if request.until is None else time_of(request.until, option="--until")
    if until is not None and since >= until:
        raise MisuseError("--since is not before --until.", hint="Give an earlier --since.")
    failures: Failures = {}
    with installation(request.config, request.data) as context:
        opened = source(failures)
        if request.dry_run:
            names = sorted(
                {
                    f"{request.prefix}{origin.name}"
                    for origin in opened.series(since, context.clock() if until is None else until)
                }
            )
            _tell_failures(failures)
            return {"metrics": len(names), "names": names}, int(bool(failures))
        tell_if_nobody_takes(
            context, context.data_queues.every, "metric_storer", "what is sent waits in the queue."
        )
        done: list[Sent] = []
        with counting() as show:

            def before(name: str) -> None:
                if request.monitor:
                    monitoring.ensure_monitored(context, [name])

            total = 0

            def showing(name: str, samples: int) -> None:
                show(f"{number_of(len(done), 'metric')}, {total + samples:,} samples; {name}")

            for sent in send(
                context, opened, since, until, prefix=request.prefix, before=before, show=showing
            ):
                done.append(sent)
                total += sent.samples
                if sent.error:
                    failures[sent.name] = sent.error
        if request.wait:
            for sent in done:
                if sent.last is not None:
                    wait_for(context, sent.name, sent.last)
    _tell_rows_of_before(done)
    _tell_failures(failures)
    left_out: Counter[str] = Counter()
    for sent in done:
        left_out += sent.left_out
    if not done and not failures:
        echo_stderr("No series was found: check what is to be matched, and the times.")
    return {
        "metrics": len(done),
        "samples": sum(sent.samples for sent in done),
        "leftOut": dict(left_out),
        "failed": {name: str(error) for name, error in failures.items()},
    }, int(bool(failures) or not done)


def _tell_rows_of_before(done: list[Sent]) -> None:
    before = [sent for sent in done if sent.since is not None]
    if not before:
        return
    echo_stderr(
        f"{number_of(len(before), 'metric')} had rows already: of these only what is later was sent, since rows are "
        "numbered in the order of time. `htmengine delete` makes room for a whole history."
    )
    for sent in before[:SHOWN]:
        echo_stderr(f"  {sent.name}: up to {utc(sent.since)} UTC")


def _tell_failures(failures: Failures) -> None:
    for name, error in list(failures.items())[:SHOWN]:
        echo_stderr(f"{name}: {error} {error.hint}".rstrip())
    if len(failures) > SHOWN:
        echo_stderr(f"… and {len(failures) - SHOWN} more could not be read.")


def _secret(option: str, path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        secret = path.read_text().strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MisuseError(
            f"{option} {path}: cannot be read: {reason}.", hint="Name a text file that you may read."
        ) from error
    if not secret or len(secret.split()) > 1:
        raise MisuseError(f"{option} {path}: holds no secret.", hint="It must hold one word.")
    return secret
