"""`htmengine monitor`: give a metric a model."""

from typing import Annotated

import typer

from htmengine.cli.options import ConfigOption, DataOption


def monitor(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Metric; created if there is none yet.")],
    minimum: Annotated[
        float | None,
        typer.Option("--min", metavar="VALUE", help="Lowest value to expect, if known; with --max."),
    ] = None,
    maximum: Annotated[
        float | None,
        typer.Option("--max", metavar="VALUE", help="Highest value to expect, if known; with --min."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Parameter set: default, nupic, nupic-tm or nupic-0.3. [default: the engine's setting]",
        ),
    ] = None,
    params_json: Annotated[
        str | None,
        typer.Option(
            metavar="JSON",
            help="What else to put into the specification: `modelParams` or `completeModelParams`, as documented.",
        ),
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Give a metric a model.

    It scores what is stored already and every sample from now on. The default model needs no range. The nupic sets take --min and --max, or wait for 288 samples to infer them.
    """
    from htmengine.cli import monitoring
    from htmengine.cli.session import installation, print_json

    with installation(config, data) as context:
        print_json(monitoring.monitor(context, name, minimum, maximum, model, params_json))
