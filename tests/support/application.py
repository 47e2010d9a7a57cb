"""The documented application, supervised: the one that APPLICATION_CONFIG_PATH names, or a private copy of ours.

Tests use it as applications do: lines to the port, messages to the queue, `htmengine.adapters` and `htmengine.repository`.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from htmengine import config, repository
from htmengine.exceptions import ObjectNotFoundError
from htmengine.repository import MetricStatus, schema
from nta.utils.config import Config
from tests.acceptance.engine import TIMEOUT_S, wait_until
from tests.servers import free_ports

ROOT: Final = Path(__file__).parents[2]
SKELETON: Final = Path(__file__).parent / "skeleton-app"


class Application:
    """An application whose services run; where its configuration is read, `environment` must be set."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment = {config.CONFIG_PATH_VARIABLE: str(directory)}

    @property
    def config(self) -> Config:
        return Config("application.conf", str(self.directory))

    @property
    def port(self) -> int:
        return self.config.getint("metric_listener", "plaintext_port")

    def connected(self):
        """Give a connection to the database, as applications get it."""
        return repository.engineFactory(self.config).connect()

    def send(self, *lines: str) -> None:
        """Send lines to the port, over one connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S) as peer:
            peer.sendall("".join(f"{line}\n" for line in lines).encode())

    def metric(self, name: str) -> Any:
        """Return a custom metric's row; None if there is none."""
        with self.connected() as conn, suppress(ObjectNotFoundError):
            return repository.getCustomMetricByName(conn, name)
        return None

    def created(self, name: str) -> Any:
        """Wait for a metric, and return its row."""
        return wait_until(lambda: self.metric(name), f"metric {name}")

    def active(self, name: str) -> Any:
        """Wait until a metric's model is there, and return the metric's row."""
        return wait_until(
            lambda: (row := self.metric(name)) and row.status == MetricStatus.ACTIVE and row,
            f"model of {name}",
        )

    def rows(self, uid: str) -> list[Any]:
        """Return a metric's rows, newest first."""
        with self.connected() as conn:
            return repository.getMetricData(conn, uid, sort=schema.metric_data.c.rowid.desc()).all()

    def stored(self, name: str, count: int) -> list[Any]:
        """Wait until so many rows of a metric are stored, and return them, newest first."""
        uid = self.created(name).uid
        return wait_until(lambda: len(rows := self.rows(uid)) >= count and rows, f"{count} rows of {name}")

    def scored(self, name: str, count: int) -> list[Any]:
        """Wait until so many rows of a metric are scored, and return all, newest first."""
        uid = self.created(name).uid

        def enough():
            rows = self.rows(uid)
            return sum(row.anomaly_score is not None for row in rows) >= count and rows

        return wait_until(enough, f"{count} scores of {name}")

    def run(self, program: str, **options: Any) -> subprocess.CompletedProcess:
        """Run a Python program as an application of its own, and return what became of it."""
        return subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            check=False,
            **options,
        )


def named() -> Application | None:
    """Return the application that APPLICATION_CONFIG_PATH names, if it is set; its services must run."""
    directory = config.config_dir_from_environment()
    if directory is None:
        return None
    application = Application(directory)
    try:
        application.send()
    except OSError as error:
        raise AssertionError(
            f"{directory}: nobody listens on port {application.port} ({error}): start the application's services, as "
            f"{SKELETON / 'README.md'} says, or unset APPLICATION_CONFIG_PATH to have them started"
        ) from error
    return application


@contextmanager
def supervised(
    folder: Path, *, data: Path | None = None, broker: config.Broker | None = None, database_port: int = 3306
) -> Iterator[Application]:
    """Run a copy of the skeleton application under supervisord, with an empty database.

    Parameters
    ----------
    data : folder of embedded parts; without it the application runs on the servers.
    """
    port, supervisor = free_ports(2)
    home = folder / "skeleton-app"
    shutil.copytree(SKELETON, home)
    (home / "logs").mkdir()
    directory = home / "conf"
    _replace(
        directory / "application.conf",
        {"plaintext_port = 2003": f"plaintext_port = {port}", "port = 3306": f"port = {database_port}"},
    )
    if data is not None:
        _replace(
            directory / "application.conf",
            {
                "bus = rabbitmq": f"bus = embedded\ndata_dir = {data}",
                "repository = mysql": "repository = sqlite",
            },
        )
    _replace(directory / "model-checkpoint.conf", {"${HOME}": str(folder)})
    _replace(
        directory / "supervisord.conf",
        {"9001": str(supervisor), "%(here)s/../../../../conf": str(ROOT / "conf")},
    )
    if broker is not None:
        (directory / "rabbitmq.conf").write_text(
            f"[connection]\nhost = {broker.host}\nport = {broker.port}\nvirtual_host = {broker.virtual_host}\n"
            f"[credentials]\nuser = {broker.user}\npassword = {broker.password}\n[management]\nport = 15672\n"
        )
    application = Application(directory)
    environment = os.environ | application.environment
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    subprocess.run([sys.executable, home / "reset_db.py"], env=environment, check=True)
    with (folder / "out").open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "-c", "conf/supervisord.conf"],
            cwd=home,
            env=environment,
            stdout=out,
            stderr=out,
        )

    def output() -> str:
        logs = sorted((home / "logs").glob("*.log"))
        return "".join(path.read_text() for path in [folder / "out", *logs])

    def listens() -> bool:
        assert process.poll() is None, output()
        try:
            application.send()
        except OSError:
            return False
        return True

    try:
        wait_until(listens, lambda: f"listening: {output()}")
        yield application
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(90)
    assert "Traceback" not in output(), output()


def _replace(path: Path, changes: Mapping[str, str]) -> None:
    text = path.read_text()
    for old, new in changes.items():
        assert old in text, f"{path}: {old}"
        text = text.replace(old, new)
    path.write_text(text)
