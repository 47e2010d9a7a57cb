"""`htmengine config`: look at an application's configuration, and get those of other programs."""

from pathlib import Path
from typing import Annotated

import typer

from htmengine.cli.group import Group
from htmengine.cli.terminal import echo_stderr, echo_stdout

app = Group(
    help="Check a configuration; print files for other programs.",
)


@app.command()
def check(
    directory: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="Configuration directory. [default: APPLICATION_CONFIG_PATH]"),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DIR", help="Instead of one: the data folder that `htmengine up` uses."
        ),
    ] = None,
) -> None:
    """Report every fault of a configuration at once.

    Where there is none it shows what is set. Passwords are not shown. It warns of what every user of the machine may read. Exits with 2 if there is a fault.
    """
    import msgspec

    from htmengine import config
    from htmengine.alerts import configuration
    from htmengine.errors import ConfigError, MisuseError
    from htmengine.runtime.metric_storer import monitor_rules
    from htmengine.service.context import data_folder
    from htmengine.system import private

    if directory and data:
        raise MisuseError(f"{directory} and --data {data} are both given.", hint="Check one after the other.")
    named = data or directory or config.config_dir_from_environment()
    if named is None:
        raise MisuseError(
            f"No configuration directory was named, and {config.CONFIG_PATH_VARIABLE} is not set.",
            hint="Name the directory that holds application.conf: htmengine config check DIR",
        )
    faults: list[ConfigError] = []
    try:
        settings = config.embedded(data.absolute()) if data else config.load(named)
    except ConfigError as error:
        faults.append(error)
    rules = named / config.RULES_FILE
    if rules.exists():
        try:
            monitor_rules.load(rules)
        except ConfigError as error:
            faults.append(error)
    try:
        configuration.close(configuration.current(named / config.ALERTS_FILE))
    except ConfigError as error:
        faults.append(error)
    if faults:
        raise ConfigError("\n".join(map(str, faults)), hint=faults[0].hint)
    shown = msgspec.structs.replace(
        settings,
        repository=msgspec.structs.replace(
            settings.repository, passwd="hidden" if settings.repository.passwd else ""
        ),
        broker=msgspec.structs.replace(settings.broker, password="hidden"),
    )
    encoded = msgspec.json.encode(shown, enc_hook=str)
    echo_stdout(msgspec.json.format(encoded, indent=2).decode())
    folder = data_folder(settings)
    for path in [named, *sorted(named.rglob("*")), *([folder, *sorted(folder.glob("*"))] if folder else ())]:
        if private.open_to_all(path):
            echo_stderr(
                f"! {path}: is open to every user of this machine, with what it says or locks: chmod o= {path}"
            )


@app.command()
def file(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="prometheus-alerts.yml, or a dashboard: grafana-graphite.json, grafana-engine.json, grafana-scores.json.",
        ),
    ],
) -> None:
    """Print alert rules of Prometheus, or a dashboard of Grafana."""
    from htmengine.config import templates

    echo_stdout(templates.shipped(name).rstrip("\n"))
