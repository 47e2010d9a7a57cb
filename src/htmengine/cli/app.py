"""The commands that there are. Each is imported when it is asked for, and imports what is heavy when it runs."""

from typing import Annotated, Any, Final, cast

import typer

from htmengine.cli.group import Commands, CommandsOfModules, Group
from htmengine.cli.terminal import echo_stdout

COMMANDS: Final = {
    "up": "up.up",
    "send": "send.send",
    "replay": "replay.replay",
    "backfill": "backfill.backfill",
    "monitor": "monitor.monitor",
    "unmonitor": "unmonitor.unmonitor",
    "delete": "delete.delete",
    "metrics": "metrics.metrics",
    "rules": "rules.rules",
    "incidents": "incidents.incidents",
    "alerts": "alerts.alerts",
    "labels": "labels.labels",
    "teach": "teach.teach",
    "results": "results.results",
    "backtest": "backtest.backtest",
    "status": "status.status",
    "doctor": "doctor.doctor",
    "capacity": "capacity.capacity",
    "sql": "sql.sql",
    "export": "export.export",
    "import": "import_.import_",
    "dead": "dead.dead",
    "verify": "verify.verify",
    "queues": "queues.queues",
    "rebalance": "rebalance.rebalance",
    "tokens": "tokens.tokens",
    "db": "db.database",
    "init": "init.init",
    "config": "config.app",
    "detect": "detect.detect",
}
"""In the order of help: the module of each below `htmengine.cli.commands`, and its function or group."""


class _All(Commands):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = cast("Any", CommandsOfModules("htmengine.cli.commands", COMMANDS))


app = Group(cls=_All, add_completion=True, pretty_exceptions_enable=False)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            echo_stdout(f"htmengine {version('htmengine')}")
        except PackageNotFoundError:
            echo_stdout("htmengine, run from its source tree")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Real-time anomaly detection for scalar metrics with Hierarchical Temporal Memory."""
