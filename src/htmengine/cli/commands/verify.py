"""`htmengine verify`: check that nothing was lost, doubled or mixed up."""

from typing import Annotated

import typer

from htmengine.cli.options import ConfigOption, DataOption, JsonOption


def verify(
    settled: Annotated[
        bool,
        typer.Option("--settled", help="Every stored sample must be scored too: nothing may be on its way."),
    ] = False,
    rescore: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help="Score all rows of these metrics again, such as 'web.*' or '*'. Without it, some rows of 20 metrics.",
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(metavar="PATTERN", help="Look only at these metrics, such as 'web.*'."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="AGO",
            help="Look only at rows from then on, such as 1d or 2024-05-01, and at newer checkpoints.",
        ),
    ] = None,
    json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Check that nothing stored is lost, doubled or mixed up.

    Rows have no gaps, scores reach as far as they should and are those of their samples, checkpoints can be read. Safe while the engine runs. Exits with 1 when something is wrong.
    """
    from htmengine.admin import verify
    from htmengine.cli.incidents import time_of
    from htmengine.cli.progress import counting_bar
    from htmengine.cli.session import installation, number_of, print_json
    from htmengine.cli.terminal import echo_stderr, echo_stdout

    begin = time_of(since) if since else None
    with installation(config, data) as context, counting_bar() as show:
        report = verify.verify(
            context, settled=settled, rescore=rescore, named=metrics, since=begin, show=show
        )
    if json:
        print_json(report.document())
    else:
        for finding in report.findings:
            echo_stdout(finding)
        echo_stderr(
            f"{number_of(report.metrics, 'metric')}, {number_of(report.rows, 'row')}, "
            f"{number_of(report.checkpoints, 'checkpoint')}, {number_of(report.rescored, 'row')} scored again: "
            + (f"{number_of(len(report.findings), 'finding')}." if report.findings else "all is well.")
        )
    if report.findings:
        raise typer.Exit(1)
