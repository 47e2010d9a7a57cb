"""`htmengine status` and `htmengine doctor`: how the engine and its metrics are."""

from typing import Annotated

import typer

from htmengine.cli.options import ConfigOption, DataOption, JsonOption


def status(json: JsonOption = False, data: DataOption = None, config: ConfigOption = None) -> None:
    """Show whether the services run, and what waits for them."""
    from htmengine.cli.health import health_of, print_health
    from htmengine.cli.session import installation, print_json

    with installation(config, data) as context:
        health = health_of(context)
    if json:
        print_json(health.document())
    else:
        print_health(health)


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
    from htmengine.cli.health import health_of, print_health
    from htmengine.cli.patients import examine, print_patients
    from htmengine.cli.session import installation, print_json

    with installation(config, data) as context:
        health = health_of(context)
        patients = examine(context, names, health)
    if json:
        print_json(health.document() | {"metrics": [patient.document() for patient in patients]})
    else:
        print_health(health)
        print_patients(patients, everything=bool(names))
    if health.findings or any(patient.needs_attention for patient in patients):
        raise typer.Exit(1)
