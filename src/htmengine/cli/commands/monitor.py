"""`htmengine monitor`: give metrics a model each."""

from typing import Annotated

import typer

from htmengine.cli.options import (
    ConfigOption,
    DataOption,
    DryRunOption,
    RegexOption,
    YesOption,
)


def monitor(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME…",
            help="Metrics, created if there are none yet, or patterns of those that there are, such as 'web.*'.",
        ),
    ],
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
    regex: RegexOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Give metrics a model each.

    It scores what is stored already and every sample from now on. The default model needs no range. The nupic sets take --min and --max, or wait for 288 samples to infer them.
    Of a pattern, metrics that have a model are left as they are. Asks before it changes a hundred metrics or more.
    """
    from htmengine.cli import monitoring
    from htmengine.cli.session import installation

    with installation(config, data) as context:
        scope = monitoring.Scope(names, regex, dry_run, yes)
        monitoring.monitor(context, scope, minimum, maximum, model, params_json)
