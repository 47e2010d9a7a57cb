#!/usr/bin/env python
"""Start an example with one command: its configuration, its database, the engine's services and its own programs.

    python examples/start.py skeleton-app                                  everything on this machine, no servers
    python examples/start.py traffic --bus rabbitmq --repository mysql     on servers that run at their usual ports

All programs run under supervisord; Ctrl-C stops them. The files are in run/APP; delete the folder to begin anew.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

from htmengine import conf, config
from htmengine.errors import ExplainedError
from htmengine.runtime import resetting

EXAMPLES = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("app", choices=sorted(path.parent.name for path in EXAMPLES.glob("*/programs.conf")))
    parser.add_argument("--bus", choices=["embedded", "rabbitmq"], default="embedded")
    parser.add_argument("--repository", choices=["sqlite", "mysql", "postgresql"], default="sqlite")
    parser.add_argument("--folder", type=Path, help="of its files [default: run/APP]")
    parser.add_argument("--port", type=int, default=2003, help="of the plaintext protocol")
    parser.add_argument("--web-port", type=int, default=8080, help="of its page")
    parser.add_argument("--supervisor-port", type=int, default=9001, help="of supervisord")
    options = parser.parse_args()
    folder = (options.folder or Path("run") / options.app).absolute()
    try:
        if not (folder / "conf").exists():
            configure(folder, options)
        resetting.create(config.load(folder / "conf"))
    except ExplainedError as error:
        sys.exit(f"{error}\n{error.hint}")
    print(f"{options.app}: http://127.0.0.1:{options.web_port}/ (logs in {folder / 'logs'})", flush=True)
    os.chdir(folder)
    command = [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "-c", "conf/supervisord.conf"]
    os.execv(sys.executable, command)


def configure(folder: Path, options: argparse.Namespace) -> None:
    """Write the engine's configuration, and what the example adds to it: its programs, its rules, its section."""
    example = EXAMPLES / options.app
    conf.write(
        folder,
        options.app.partition("-")[0],
        conf.Choices(options.bus, options.repository, options.port, options.supervisor_port),
    )
    with (folder / "conf" / "application.conf").open("a") as file:
        file.write(f"\n[web]\nport = {options.web_port}\n")
    (folder / "conf" / "programs").mkdir()
    programs = (example / "programs.conf").read_text()
    programs = programs.replace("command=python ", f"command={sys.executable} ").replace(
        "@APP@", str(example)
    )
    (folder / "conf" / "programs" / "app.conf").write_text(programs)
    if (example / config.RULES_FILE).exists():
        shutil.copy(example / config.RULES_FILE, folder / "conf")


if __name__ == "__main__":
    main()
