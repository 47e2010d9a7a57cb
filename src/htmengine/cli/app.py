"""The commands that there are. Each imports what is heavy when it runs, so that help comes at once."""

from typing import Annotated

import typer

from htmengine.cli.commands.alerts import alerts
from htmengine.cli.commands.backfill import backfill
from htmengine.cli.commands.backtest import backtest
from htmengine.cli.commands.capacity import capacity
from htmengine.cli.commands.config import app as config
from htmengine.cli.commands.db import database
from htmengine.cli.commands.dead import dead
from htmengine.cli.commands.delete import delete
from htmengine.cli.commands.detect import detect
from htmengine.cli.commands.doctor import doctor
from htmengine.cli.commands.export import export
from htmengine.cli.commands.import_ import import_
from htmengine.cli.commands.incidents import incidents
from htmengine.cli.commands.init import init
from htmengine.cli.commands.labels import labels
from htmengine.cli.commands.metrics import metrics
from htmengine.cli.commands.monitor import monitor
from htmengine.cli.commands.rebalance import rebalance
from htmengine.cli.commands.replay import replay
from htmengine.cli.commands.results import results
from htmengine.cli.commands.rules import rules
from htmengine.cli.commands.send import send
from htmengine.cli.commands.sql import sql
from htmengine.cli.commands.status import status
from htmengine.cli.commands.teach import teach
from htmengine.cli.commands.tokens import tokens
from htmengine.cli.commands.unmonitor import unmonitor
from htmengine.cli.commands.up import up
from htmengine.cli.commands.verify import verify
from htmengine.cli.group import Commands
from htmengine.cli.terminal import echo_stdout

app = typer.Typer(
    cls=Commands,
    add_completion=True,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: rich alone would double the time to show it
)


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


app.command()(up)
app.command()(send)
app.command()(replay)
app.add_typer(backfill, name="backfill")
app.command()(monitor)
app.command()(unmonitor)
app.command()(delete)
app.command()(metrics)
app.add_typer(rules, name="rules")
app.command()(incidents)
app.add_typer(alerts, name="alerts")
app.add_typer(labels, name="labels")
app.add_typer(teach, name="teach")
app.command()(results)
app.command()(backtest)
app.command()(status)
app.command()(doctor)
app.command()(capacity)
app.command()(sql)
app.command()(export)
app.command("import")(import_)
app.add_typer(dead, name="dead")
app.command()(verify)
app.command()(rebalance)
app.add_typer(tokens, name="tokens")
app.add_typer(database, name="db")
app.command()(init)
app.add_typer(config, name="config")
app.command(short_help="Find what is unusual in a CSV file with times and values.")(detect)
