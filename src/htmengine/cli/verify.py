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
    """Check what is stored: rows without gaps, scores up to the watermark, readable checkpoints.

    Safe while the engine runs. Exits with 1 when something is wrong.
    """
    from htmengine.cli.session import advise, installation, print_json
    from htmengine.runtime import verification

    with installation(config, data) as context:
        report = verification.verify(context, settled=settled)
    if json:
        print_json(report.document())
    else:
        for finding in report.findings:
            typer.echo(finding)
        advise(
            f"{report.metrics} metrics, {report.rows} rows, {report.checkpoints} checkpoints: "
            + ("all is well." if not report.findings else f"{len(report.findings)} findings.")
        )
    if report.findings:
        raise typer.Exit(1)
