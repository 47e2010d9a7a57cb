"""`htmengine delete`: metrics, with all that is stored of them."""

from htmengine.cli.options import (
    ConfigOption,
    DataOption,
    DryRunOption,
    NamesArgument,
    RegexOption,
    YesOption,
)


def delete(
    names: NamesArgument,
    regex: RegexOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Delete metrics with their samples, scores, alarms and models.

    Services may run meanwhile. A metric whose sender goes on comes back with its next sample, as a new one.
    """
    from htmengine.cli import monitoring
    from htmengine.cli.session import installation

    with installation(config, data) as context:
        monitoring.delete(context, monitoring.Scope(names, regex, dry_run, yes))
