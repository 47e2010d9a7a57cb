"""`htmengine unmonitor`: take models away."""

from htmengine.cli.options import (
    ConfigOption,
    DataOption,
    DryRunOption,
    NamesArgument,
    RegexOption,
    YesOption,
)


def unmonitor(
    names: NamesArgument,
    regex: RegexOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Delete models of metrics and their scores; the samples stay.

    New samples are stored on. The rules for new metrics leave them alone from now on. Asks before it changes a hundred metrics or more.
    """
    from htmengine.cli import monitoring
    from htmengine.cli.session import installation

    with installation(config, data) as context:
        monitoring.unmonitor(context, monitoring.Scope(names, regex, dry_run, yes))
