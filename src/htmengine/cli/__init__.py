"""The command `htmengine`: one file per command, results on stdout, progress and advice on stderr.

Exit codes: 0 done, 1 failed, 2 misused. Commands import what is heavy when they run, so that help comes at once.
"""

import errno
import io
import os
import sys
from typing import Annotated, Final

import typer

from htmengine.cli.commands import Commands
from htmengine.cli.config import app as config
from htmengine.cli.database import database
from htmengine.cli.dead import dead
from htmengine.cli.detect import detect
from htmengine.cli.init import init
from htmengine.cli.metrics import metrics
from htmengine.cli.monitor import monitor, unmonitor
from htmengine.cli.rebalance import rebalance
from htmengine.cli.replay import replay
from htmengine.cli.results import results
from htmengine.cli.send import send
from htmengine.cli.status import doctor, status
from htmengine.cli.terminal import advise, say
from htmengine.cli.transfer import export, import_
from htmengine.cli.up import up
from htmengine.cli.verify import verify

NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)

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
            say(f"htmengine {version('htmengine')}")
        except PackageNotFoundError:
            say("htmengine, run from its source tree")
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
app.command()(monitor)
app.command()(unmonitor)
app.command()(metrics)
app.command()(results)
app.command()(status)
app.command()(doctor)
app.command()(export)
app.command("import")(import_)
app.add_typer(dead, name="dead")
app.command()(verify)
app.command()(rebalance)
app.add_typer(database, name="db")
app.command()(init)
app.add_typer(config, name="config")
app.command(short_help="Find what is unusual in a CSV file with times and values.")(detect)


def main() -> None:
    """Run the command line."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # what a terminal's encoding has no sign for
    try:
        app(prog_name="htmengine")
    except OSError as error:
        # Commands explain what happens to files that they write; this is where their output goes.
        if error.errno not in NO_ROOM:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left of it, at the end
        advise(f"The output cannot be written: {error.strerror}.\nMake room, or send it elsewhere.")
        sys.exit(1)
