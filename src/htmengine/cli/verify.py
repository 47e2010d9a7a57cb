"""`htmengine verify`: check that nothing was lost, doubled or mixed up."""

from typing import Annotated

import typer

from htmengine.cli.options import ConfigOption, DataOption, JsonOption


def verify(
    settled: Annotated[
        bool,
        typer.Option("--settled", help="Every stored sample must be scored too: nothing may be on its way."),
    ] = False,
    json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Check that nothing stored is lost, doubled or mixed up.

    Rows have no gaps, scores reach as far as they should, checkpoints can be read. Safe while the engine runs. Exits with 1 when something is wrong.
    """
    from htmengine.cli.session import installation, number_of, print_json
    from htmengine.cli.terminal import advise, say
    from htmengine.runtime import verification

    with installation(config, data) as context:
        report = verification.verify(context, settled=settled)
    if json:
        print_json(report.document())
    else:
        for finding in report.findings:
            say(finding)
        advise(
            f"{number_of(report.metrics, 'metric')}, {number_of(report.rows, 'row')}, "
            f"{number_of(report.checkpoints, 'checkpoint')}: "
            + (f"{number_of(len(report.findings), 'finding')}." if report.findings else "all is well.")
        )
    if report.findings:
        raise typer.Exit(1)
