"""`htmengine rules`: what monitor-rules.conf says of metrics, those to come and those that there are."""

from pathlib import Path
from typing import Annotated

import typer

from htmengine.cli.group import Group
from htmengine.cli.options import ConfigOption, DataOption, DryRunOption, JsonOption, YesOption

rules = Group(help="What monitor-rules.conf says of metrics.")


@rules.callback()
def _rules() -> None:
    """What monitor-rules.conf says of metrics."""


@rules.command("test")
def what_applies(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Names as they are sent.")],
    file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Rules to try. [default: the monitor-rules.conf that is used]"),
    ] = None,
    json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Say which rules apply to metrics, and why: what their names become, and what is done with them.

    Nothing is changed, and no engine has to run. Exits with 2 where the rules have faults.
    """
    from htmengine.cli import rules as work
    from htmengine.service.context import settings_for

    path = file or settings_for(config, data).storer.rules_in_use
    work.tell(path, names, json=json)


@rules.command()
def apply(
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Do with the metrics that there are what the rules say of them now.

    Those that a rule monitors get a model, also where one was deleted; those that one ignores lose theirs; those that one drops are deleted; those whose samples are stored under another name go on under it, with all that is known of them, where no metric has it yet. It shows what would be changed, and asks.
    """
    from htmengine.cli import rules as work
    from htmengine.cli.session import installation

    with installation(config, data) as context:
        work.apply(context, dry_run=dry_run, yes=yes)
