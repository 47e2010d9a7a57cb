#!/usr/bin/env python
"""Start an example with one command: its configuration, its database, the engine's services and its own programs.

    python examples/start.py skeleton-app                                  everything on this machine, no servers
    python examples/start.py traffic --bus rabbitmq --repository mysql     on servers that run at their usual ports

All programs run under supervisord; Ctrl-C stops them. The files are in run/APP; delete the folder to begin anew. A program
that fails ends all of it, and the end of its log is shown.
"""

import argparse
import errno
import importlib.util
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from http.client import HTTPException
from pathlib import Path
from xmlrpc.client import Fault

from htmengine import config
from htmengine.admin import reset
from htmengine.config import templates
from htmengine.errors import ExplainedError, MisuseError
from htmengine.foreign import visible
from htmengine.system import private
from nta.utils.config import Config
from nta.utils.supervisor_utils import SupervisorClient

EXAMPLES = Path(__file__).resolve().parent
ADDRESS = "127.0.0.1"
PORTS = {"port": ("metric_listener", "plaintext_port"), "web_port": ("web", "port")}  # in application.conf
ANSWERS_WITHIN_S = 60.0
POLL_S = 0.5
STARTS = 4  # within a minute: a program that was started so often does not come up by itself
WITHIN_S = 60
LINES = 15  # of the log of a program that fails
MAX_SOCKET = 95  # characters of its path; a socket's name is short, and supervisord adds a number to it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("app", choices=sorted(path.parent.name for path in EXAMPLES.glob("*/programs.conf")))
    parser.add_argument("--bus", choices=["embedded", "rabbitmq"], help="[default: embedded]")
    parser.add_argument("--repository", choices=["sqlite", "mysql", "postgresql"], help="[default: sqlite]")
    parser.add_argument("--folder", type=Path, help="of its files [default: run/APP]")
    parser.add_argument("--port", type=int, help="of the plaintext protocol [default: as last time, or 2003]")
    parser.add_argument("--web-port", type=int, help="of its page [default: as last time, or 8080]")
    options = parser.parse_args()
    folder = (options.folder or Path("run") / options.app).absolute()
    try:
        web_port = prepare(folder, options)
        code = run(options.app, folder, web_port)
    except ExplainedError as error:
        sys.exit(visible(f"{error}\n{error.hint}"))
    sys.exit(code)


def prepare(folder: Path, options: argparse.Namespace) -> int:
    """Write or change the configuration, make the database, and return the port of the page. Nothing else has the ports."""
    if importlib.util.find_spec("supervisor") is None:
        raise MisuseError(
            "The programs run under supervisord, which is not installed.", hint="pip install supervisor"
        )
    control = folder / "logs" / "supervisor.sock"
    if len(str(control)) > MAX_SOCKET:
        raise MisuseError(
            f"{control}: this path is too long for a socket.",
            hint="Name a folder nearer to the root: --folder",
        )
    directory = folder / "conf"
    refuse_second(options.app, control, directory)
    ports = free_ports(directory, options)
    if not directory.exists():
        configure(folder, options, ports)
    settings = config.load(directory)
    for option, given, there in (
        ("--bus", options.bus, settings.bus),
        ("--repository", options.repository, settings.repository.dialect),
    ):
        if given not in (None, there):
            raise MisuseError(
                f"{folder} was made for {option} {there}.",
                hint="Name another folder with --folder, or delete this one to begin anew.",
            )
    take_over(directory, ports)
    reset.create(config.load(directory))
    return ports["web_port"]


def refuse_second(app: str, control: Path, directory: Path) -> None:
    try:
        pid = SupervisorClient(f"unix://{control}").getPID()
    except OSError:
        return
    port = Config("application.conf", str(directory)).getint("web", "port")
    raise MisuseError(
        f"{app} runs already: http://{ADDRESS}:{port}/",
        hint=f"End it first, with Ctrl-C where it runs or with `kill {pid}`; or start another one with --folder.",
    )


def free_ports(directory: Path, options: argparse.Namespace) -> dict[str, int]:
    """Return the ports that are named, or else those of last time, by their option. All of them are free."""
    ports = {"port": 2003, "web_port": 8080}
    if directory.exists():
        known = Config("application.conf", str(directory))
        ports = {option: known.getint(*place) for option, place in PORTS.items()}
    for option in ports:
        ports[option] = getattr(options, option) or ports[option]
        require_free(ports[option], f"--{option.replace('_', '-')}")
    return ports


def configure(folder: Path, options: argparse.Namespace, ports: dict[str, int]) -> None:
    """Write the engine's configuration, and what the example adds to it: its programs, its rules, its section."""
    example = EXAMPLES / options.app
    choices = templates.Choices(
        options.bus or "embedded", options.repository or "sqlite", ports["port"], http_port=0
    )
    templates.write(folder, options.app.partition("-")[0], choices)
    with (folder / "conf" / "application.conf").open("a") as file:
        file.write(f"\n[web]\nport = {ports['web_port']}\n")
    programs = (example / "programs.conf").read_text()
    programs = programs.replace("command=python ", f"command={sys.executable} ").replace(
        "@APP@", str(example)
    )
    private.folder(folder / "conf" / "programs")
    private.write_text(folder / "conf" / "programs" / "app.conf", programs)
    if (example / config.RULES_FILE).exists():
        shutil.copy(example / config.RULES_FILE, folder / "conf")


def take_over(directory: Path, ports: dict[str, int]) -> None:
    """Change the ports of a configuration, where others are named now, by overrides."""
    known = Config("application.conf", str(directory))
    changed = Config("application.conf", str(directory), mode=Config.MODE_OVERRIDE_ONLY)
    new = {option: port for option, port in ports.items() if port != known.getint(*PORTS[option])}
    for option, port in new.items():
        section, name = PORTS[option]
        if not changed.has_section(section):
            changed.add_section(section)
        changed.set(section, name, str(port))
    if new:
        changed.save()


def require_free(port: int, option: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except (OSError, OverflowError) as error:
            in_use = getattr(error, "errno", None) == errno.EADDRINUSE
            reason = (
                "is in use by another program"
                if in_use
                else f"cannot be opened: {getattr(error, 'strerror', error)}"
            )
            raise MisuseError(
                f"Port {port} on {ADDRESS} {reason}.",
                hint=f"End that program, or choose another port: {option}.",
            ) from error


def run(app: str, folder: Path, web_port: int) -> int:
    """Run all programs until a signal comes or one of them fails, and return the exit code."""
    command = [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "--silent"]
    supervisord = subprocess.Popen([*command, "-c", "conf/supervisord.conf"], cwd=folder, umask=private.MASK)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: supervisord.terminate())
    try:
        failed = watch(app, folder, f"http://{ADDRESS}:{web_port}/", supervisord)
    finally:
        supervisord.terminate()
        supervisord.wait()
    if failed is None:
        return 0
    log = folder / "logs" / f"{failed}.log"
    lines = log.read_text(errors="backslashreplace").splitlines() if log.exists() else []
    said = [f"{app} has ended: {failed} does not come up. The end of {log}:", *lines[-LINES:]]
    print(visible("\n    ".join(said)), file=sys.stderr)
    return 1


def watch(app: str, folder: Path, address: str, supervisord: subprocess.Popen) -> str | None:
    """Print the address once it answers, and return the program that fails; None when all have ended as they were told."""
    began = time.monotonic()
    told = False
    starts: dict[str, set[int]] = defaultdict(set)
    """When each program was started, as far as it was seen."""
    while supervisord.poll() is None:
        for program in programs(folder / "logs" / "supervisor.sock"):
            seen = starts[program["name"]]
            seen.add(program["start"])
            recent = [start for start in seen if program["now"] - start < WITHIN_S]
            if program["statename"] == "FATAL" or len(recent) >= STARTS:
                return str(program["name"])
        if not told and (told := answers(address)):
            print(f"{app}: {address} (logs in {folder / 'logs'})", flush=True)
        if not told and time.monotonic() - began > ANSWERS_WITHIN_S:
            return "webapp"
        time.sleep(POLL_S)
    return "supervisord" if supervisord.returncode else None


def programs(control: Path) -> list[dict]:
    """Return what supervisord says of each program; nothing while it starts or stops."""
    try:
        return SupervisorClient(f"unix://{control}").getAllProcessInfo()
    except (OSError, HTTPException, Fault):
        return []


def answers(address: str) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            address, timeout=5.0
        ) as answer:
            return answer.status == 200
    except OSError:
        return False


if __name__ == "__main__":
    main()
