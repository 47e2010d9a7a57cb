"""`htmengine send`: hand samples to the engine, and know that they are accepted."""

import time
from typing import Annotated

import typer

from htmengine.cli.options import ConfigOption, DataOption, input_text


def send(
    lines: Annotated[
        list[str] | None,
        typer.Argument(metavar="LINE", help="`name value [timestamp]`. Nothing: lines of standard input."),
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Send samples, such as "cpu.load 0.42 1700000000".

    Without a timestamp they are of now.
    Every line is checked first: nothing is sent where one is wrong. When the command ends, the samples are in the
    engine's queue and survive a crash; they are worked on as soon as a service runs.
    """
    import sys

    from htmengine.cli import refusals
    from htmengine.cli.session import installation, print_json, tell_if_nobody_takes
    from htmengine.doors.plaintext import parse_line
    from htmengine.service.lines import line_messages

    if not lines and sys.stdin.isatty():
        from htmengine.errors import MisuseError

        raise MisuseError(
            "There is nothing to send: no line is given and nothing is piped in.",
            hint='Give lines, as in `htmengine send "cpu.load 0.42"`.',
        )
    given = lines or [line for line in input_text("-").split("\n") if line.strip()]
    with installation(config, data) as context:
        now = int(time.time())
        checked = checked_lines(given, context.settings.storer.max_future_s, now)
        queue = context.settings.listener.queue
        samples: dict[str, list[int]] = {}
        for line in checked:
            sample = parse_line(line)
            samples.setdefault(sample.name, []).append(int(sample.timestamp))
        refused = refusals.foreseen(context, samples)
        context.bus.publish(line_messages(queue, checked, accepted_at=now))
        print_json({"sent": len(checked), "refused": refused})
        tell_if_nobody_takes(
            context, context.data_queues.every, "metric_storer", "the samples wait in the queue."
        )
        if code := refusals.tell(refused, len(checked)):
            raise typer.Exit(code)


def checked_lines(lines: list[str], max_future_s: int, now: int) -> list[str]:
    """Return lines with a timestamp each, `now` where they have none. Raises MisuseError at the first that is no sample, or too far ahead."""
    from htmengine.doors.plaintext import parse_line
    from htmengine.doors.reasons import BadSample, Reason
    from htmengine.errors import MisuseError

    checked = []
    for number, line in enumerate(lines, 1):
        whole = f"{line.strip()} {now}" if len(line.split()) == 2 else line.strip()
        try:
            if parse_line(whole).timestamp >= now + max_future_s + 1:
                raise BadSample(Reason.FUTURE)
        except BadSample as error:
            raise MisuseError(
                f"Line {number}, {line.strip()!r}: {error}.",
                hint="A line is `name value timestamp`, such as `cpu.load 0.42 1700000000`. Nothing was sent.",
            ) from error
        checked.append(whole)
    return checked
