"""Commented templates of every configuration file, and the making of a working set from them."""

from __future__ import annotations

import re
import sys
from importlib import resources
from pathlib import Path
from typing import Final, NamedTuple

from htmengine.config.settings import BusName, Dialect
from htmengine.errors import MisuseError
from htmengine.system import private

FILES: Final = (
    "alerts.toml",
    "application.conf",
    "model-checkpoint.conf",
    "model-swapper.conf",
    "monitor-rules.conf",
    "rabbitmq.conf",
    "supervisord-base.conf",
    "supervisord.conf",
)
SHIPPED: Final = (
    "grafana-engine.json",
    "grafana-graphite.json",
    "grafana-scores.json",
    "prometheus-alerts.yml",
)
"""Files for other programs, which are taken as they are."""
APPLICATION_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,47}")


class Choices(NamedTuple):
    """What a configuration is to say."""

    bus: BusName = "embedded"
    dialect: Dialect = "sqlite"
    port: int = 2003
    """Of the plaintext protocol."""
    http_port: int = 2080
    """Of the page and the HTTP API; 0: none."""


ALONE: Final = Choices()
"""Everything on one machine, without servers."""
_SERVER: Final = {"sqlite": ("root", 3306), "mysql": ("root", 3306), "postgresql": ("postgres", 5432)}
"""By dialect, the user and the port of a fresh server."""


def shipped(name: str) -> str:
    """Return the text of a file for another program. Raises MisuseError where there is none of this name."""
    if name not in SHIPPED:
        raise MisuseError(f"{name}: there is no such file.", hint=f"There are {', '.join(SHIPPED)}.")
    return resources.files(__name__).joinpath(name).read_text(encoding="utf-8")


def write(folder: Path, name: str, choices: Choices = ALONE) -> list[Path]:
    """Write a working configuration of an application: `conf/`, `logs/` and `data/` below a folder, for the user alone.

    Parameters
    ----------
    folder : of the application; it may exist.
    name : of the application: the first part of the names of its queues and exchanges, and its database's name.
    choices : by default everything on this machine, without servers.

    Returns
    -------
    The files that were written.

    Raises
    ------
    MisuseError : the name cannot be used, or one of the files exists, and nothing was written; or the folder cannot be
        written.
    """
    if not APPLICATION_NAME.fullmatch(name):
        raise MisuseError(
            f'--name "{name}" cannot begin the names of queues and be the name of a database.',
            hint="Take a letter first, then letters, digits and underscores: for example traffic.",
        )
    folder = folder.absolute()
    conf = folder / "conf"
    paths = [conf / file for file in FILES]
    existing = [str(path) for path in paths if path.exists()]
    if existing:
        raise MisuseError(
            f"{', '.join(existing)}: there already.",
            hint="Name another folder, or move what is there out of the way; nothing was written.",
        )
    user, database_port = _SERVER[choices.dialect]
    store = "#checkpoint_store = sqlite" if choices.dialect == "sqlite" else "checkpoint_store = repository"
    filled = {
        "NAME": name,
        "DATA": str(folder / "data"),
        "CONF": str(conf),
        "BUS": choices.bus,
        "DIALECT": choices.dialect,
        "CHECKPOINT_STORE": store,
        "USER": user,
        "DATABASE_PORT": str(database_port),
        "PORT": str(choices.port),
        "HTTP_PORT": str(choices.http_port),
        "SOCKET": str(folder / "logs" / "supervisor.sock"),
    }
    try:
        for below in ("conf", "logs", "data"):
            private.folder(folder / below)
        for path in paths:
            template = resources.files(__name__).joinpath(path.name).read_text(encoding="utf-8")
            text = re.sub("@([A-Z_]+)@", lambda match: filled[match[1]], template)
            # The template as it stands takes the python of the environment that supervisord runs in.
            private.write_text(path, text.replace("command=python ", f"command={sys.executable} "))
    except OSError as error:
        raise MisuseError(
            f"{folder}: cannot be written: {error.strerror or error}.",
            hint="Name a folder where you may write, on a disk that has room.",
        ) from error
    return paths
