"""Commented templates of every configuration file, and the making of a working set from them."""

from __future__ import annotations

import re
import sys
from importlib import resources
from pathlib import Path
from typing import Final

from htmengine.errors import MisuseError

FILES: Final = (
    "application.conf",
    "model-checkpoint.conf",
    "model-swapper.conf",
    "monitor-rules.conf",
    "rabbitmq.conf",
    "supervisord-base.conf",
    "supervisord.conf",
)
APPLICATION_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,47}")


def write(folder: Path, name: str) -> list[Path]:
    """Write a working configuration of an application: `conf/`, `logs/` and `data/` below a folder.

    Parameters
    ----------
    folder : of the application; it may exist.
    name : of the application: the first part of the names of its queues and exchanges, and its database's name.

    Returns
    -------
    The files that were written.

    Raises
    ------
    MisuseError : the name cannot be used, or one of the files exists; nothing was written.
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
    filled = {"NAME": name, "DATA": str(folder / "data"), "CONF": str(conf), "PYTHON": sys.executable}
    for below in ("conf", "logs", "data"):
        (folder / below).mkdir(parents=True, exist_ok=True)
    for path in paths:
        template = resources.files(__name__).joinpath(path.name).read_text(encoding="utf-8")
        path.write_text(re.sub("@([A-Z]+)@", lambda match: filled[match[1]], template), encoding="utf-8")
    return paths
