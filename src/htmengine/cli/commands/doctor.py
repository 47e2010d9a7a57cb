"""`htmengine doctor`: what is wrong, and why a metric has no score yet."""

from typing import Annotated

import typer

from htmengine.cli.options import ConfigOption, DataOption, JsonOption


def doctor(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Metrics. [default: those with something to tell]"),
    ] = None,
    json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Say what is wrong, and why a metric has no score yet.

    Without a name it looks at all services, and at the metrics that wait for something. Exits with 1 when something needs attention.
    """
    from htmengine.admin.health import health_of
    from htmengine.admin.metric_report import inspect
    from htmengine.cli.session import installation, print_json
    from htmengine.cli.status import print_health, print_reports
    from htmengine.cli.terminal import echo_stdout

    with installation(config, data) as context:
        health = health_of(context)
        reports = inspect(context, names, health)
    if json:
        print_json(health.document() | {"metrics": [report.document() for report in reports]})
    else:
        print_health(health)
        if health.memory.models:
            echo_stdout(health.memory.sentence)
        print_reports(reports, everything=bool(names))
    if health.findings or any(report.needs_attention for report in reports):
        raise typer.Exit(1)
