"""Private servers for tests: on free ports of the loopback interface, with folders of their own, from Debian's packages.

The system's services are never touched. A package that is not installed skips the tests that need it; where CI is set
it is an error, because there everything must have been tested.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import psutil
import pytest

from benchmarks.running import free_port
from htmengine import config

STARTS_WITHIN_S = 180.0
ENDS_WITHIN_S = 60.0
RABBITMQ_BIN = Path("/usr/lib/rabbitmq/bin")


class Address(NamedTuple):
    """Where a server listens, and as whom to come."""

    host: str
    port: int
    user: str
    password: str


class ServerProcess:
    """A server that runs: it can be killed, and started again on the same port with what it had on disk.

    Parameters
    ----------
    command : runs it; `options` are those of `subprocess.Popen`.
    answers : whether it is up.
    log : file that takes what it prints.
    stop_signal : asks it to end, whoever is connected.
    cwd : where it runs, and may leave dumps; by default the folder of the log.
    """

    def __init__(
        self,
        command: Sequence[str],
        answers: Callable[[], bool],
        log: Path,
        *,
        stop_signal: signal.Signals = signal.SIGTERM,
        cwd: Path | None = None,
        **options: Any,
    ) -> None:
        self._command = command
        self._answers = answers
        self._log = log
        self._stop_signal = stop_signal
        self._cwd = cwd or log.parent
        self._options = options
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                ending_with_us(self._command),
                stdout=out,
                stderr=out,
                start_new_session=True,
                cwd=self._cwd,
                **self._options,
            )
        try:
            wait_until(self._answers, self._process, self._log)
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """Kill it as by kill -9, with the processes that it made: they would keep from the next what it needs."""
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self._process.pid)
            process.suspend()  # it makes no more of them
            for one in [*process.children(recursive=True), process]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
        self._process.wait()

    def end(self) -> None:
        """Let it end in good order, if it has not ended."""
        self._process.send_signal(self._stop_signal)
        try:
            self._process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()


class Database(NamedTuple):
    """A database server of its own."""

    dialect: config.Dialect
    address: Address
    process: ServerProcess

    def settings(self) -> config.Repository:
        """Return what an application's configuration says of it, but for the name of a database."""
        host, port, user, password = self.address
        return config.Repository(
            dialect=self.dialect, db="", host=host, port=port, user=user, passwd=password
        )


class Tls(NamedTuple):
    """Where a broker listens for encrypted connections, as localhost."""

    port: int
    management_port: int
    certificate: Path
    """To be trusted: it signs itself."""


class RabbitMQ(NamedTuple):
    """A broker of its own."""

    address: Address
    management_port: int
    control: Callable[..., str]
    """Runs rabbitmqctl and returns what it printed."""
    process: ServerProcess
    tls: Tls

    def settings(self, virtual_host: str = "/") -> config.Broker:
        """Return what an application's configuration says of it."""
        host, port, user, password = self.address
        return config.Broker(
            host=host,
            port=port,
            user=user,
            password=password,
            virtual_host=virtual_host,
            management_port=self.management_port,
        )

    def encrypted(self, broker: config.Broker) -> config.Broker:
        """Return settings of this broker with TLS."""
        return msgspec.structs.replace(
            broker,
            host="localhost",
            port=self.tls.port,
            management_port=self.tls.management_port,
            tls=True,
            ca_file=self.tls.certificate,
        )

    @contextlib.contextmanager
    def virtual_host(self) -> Iterator[str]:
        """Make a virtual host that is empty, and delete it with all that is in it."""
        name = f"test-{uuid.uuid4().hex}"
        self._manage("PUT", f"vhosts/{name}")
        try:
            yield name
        finally:
            self._manage("DELETE", f"vhosts/{name}")

    def _manage(self, method: str, path: str) -> None:
        address = self.address
        user = base64.b64encode(f"{address.user}:{address.password}".encode()).decode()
        request = urllib.request.Request(
            f"http://{address.host}:{self.management_port}/api/{path}",
            method=method,
            headers={"Authorization": f"Basic {user}", "Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=120).close()


def ending_with_us(command: Sequence[str]) -> list[str]:
    """Return a command whose process is told to end when this one dies, as workers of pytest-xdist do at Ctrl-C."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", *command] if setpriv else [*command]


def free_ports(count: int) -> list[int]:
    """Return ports that nobody has now, all different."""
    return [free_port() for _ in range(count)]


def require(package: str, program: Path | str | None) -> str:
    """Return a program's path; skip when it is not installed, or fail where everything must be tested."""
    found = shutil.which(str(program)) if program else None
    if found is None:
        reason = f"needs Debian's package {package}: apt-get install --no-install-recommends {package}"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return found


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes] | None, log: Path) -> None:
    """Wait for a server; fail with the end of its log when it ends or takes too long."""
    deadline = time.monotonic() + STARTS_WITHIN_S
    while not ready():
        if (process is not None and process.poll() is not None) or time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-3000:] if log.exists() else "no log"
            pytest.fail(f"the server did not start: {tail}", pytrace=False)
        time.sleep(0.1)


def succeeds(*command: str, env: dict[str, str] | None = None) -> bool:
    """Tell whether a command ends with 0."""
    return subprocess.run(command, env=env, capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def rabbitmq(folder: Path) -> Iterator[RabbitMQ]:
    """Run a broker with its management plugin."""
    server = require("rabbitmq-server", RABBITMQ_BIN / "rabbitmq-server")
    port, management, distribution, names, tls_port, tls_management = free_ports(6)
    home = folder / "home"
    home.mkdir(parents=True)
    certificate, key = make_certificate(folder, "localhost", "DNS:localhost")
    tls = (
        f"listeners.ssl.1 = 127.0.0.1:{tls_port}\n"
        f"ssl_options.certfile = {certificate}\nssl_options.keyfile = {key}\n"
        f"management.ssl.ip = 127.0.0.1\nmanagement.ssl.port = {tls_management}\n"
        f"management.ssl.certfile = {certificate}\nmanagement.ssl.keyfile = {key}\n"
    )
    (folder / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{port}\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {management}\n"
        "disk_free_limit.absolute = 50MB\ncollect_statistics_interval = 1000\n" + tls
    )
    (folder / "enabled_plugins").write_text("[rabbitmq_management].\n")
    node = f"htmengine{port}@localhost"
    env = os.environ | {
        "HOME": str(home),
        "RABBITMQ_NODENAME": node,
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_DIST_PORT": str(distribution),
        "ERL_EPMD_PORT": str(names),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
    }

    def control(*arguments: str) -> str:
        command = [str(RABBITMQ_BIN / "rabbitmqctl"), "-n", node, "-q", *arguments]
        return subprocess.run(command, env=env, capture_output=True, check=True, text=True).stdout

    up = (str(RABBITMQ_BIN / "rabbitmqctl"), "-n", node, "-q", "await_startup", "--timeout", "60")
    process = ServerProcess([server], lambda: succeeds(*up, env=env), folder / "out", env=env)
    try:
        yield RabbitMQ(
            Address("127.0.0.1", port, "guest", "guest"),
            management,
            control,
            process,
            Tls(tls_port, tls_management, certificate),
        )
    finally:
        process.end()
        epmd = shutil.which("epmd")
        if epmd is not None:  # the broker leaves its name server behind
            succeeds(epmd, "-kill", env=env)


def make_certificate(folder: Path, name: str, subject: str) -> tuple[Path, Path]:
    """Make a certificate that signs itself, and return its file and its key's.

    subject : whom it is for, as openssl writes it: DNS:localhost, IP:127.0.0.1.
    """
    openssl = require("openssl", "openssl")
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    options = ["-x509", *kind, "-nodes", "-days", "2", "-subj", "/CN=test"]
    names = ["-addext", f"subjectAltName={subject}"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([openssl, "req", *options, *names, *files], capture_output=True, check=True)
    return certificate, key


@contextlib.contextmanager
def mariadb(folder: Path, *options: str) -> Iterator[Database]:
    """Run a MariaDB with some options more; every user of this machine is its root without password."""
    server = require("mariadb-server", _first("mariadbd", "/usr/sbin/mariadbd"))
    install = require("mariadb-server", "mariadb-install-db")
    admin = require("mariadb-client", "mariadb-admin")
    (port,) = free_ports(1)
    data, temporary = folder / "data", folder / "tmp"
    temporary.mkdir(parents=True)
    user = _user()
    made = subprocess.run(
        [
            install,
            "--no-defaults",
            f"--datadir={data}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            f"--user={user}",
        ],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.fail(f"mariadb-install-db: {made.stderr.decode()}", pytrace=False)
    ping = (admin, "--no-defaults", "-uroot", "-h127.0.0.1", f"-P{port}", "ping")
    process = ServerProcess(
        [
            server,
            "--no-defaults",
            f"--user={user}",
            f"--datadir={data}",
            f"--socket={folder / 'sock'}",
            f"--pid-file={folder / 'pid'}",
            f"--tmpdir={temporary}",  # a server that starts removes the temporary tables of others
            "--bind-address=127.0.0.1",
            f"--port={port}",
            *options,
        ],
        lambda: succeeds(*ping),
        folder / "out",
    )
    try:
        yield Database("mysql", Address("127.0.0.1", port, "root", ""), process)
    finally:
        process.end()


@contextlib.contextmanager
def postgresql(folder: Path, *settings: str) -> Iterator[Database]:
    """Run a PostgreSQL with some settings more; it trusts its user postgres."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    binaries = versions[-1] if versions else Path("postgresql-is-not-installed")
    require("postgresql", binaries / "initdb")
    if os.geteuid() == 0:
        # It refuses to run as root, and its own user cannot enter the folders that pytest makes.
        with tempfile.TemporaryDirectory(prefix="htmengine-postgresql-") as own:
            shutil.chown(own, "postgres", "postgres")
            user = {"user": "postgres", "group": "postgres", "extra_groups": []}
            with _postgresql(Path(own), binaries, user, settings) as server:
                yield server
    else:
        folder.mkdir(parents=True, exist_ok=True)
        with _postgresql(folder, binaries, {}, settings) as server:
            yield server


@contextlib.contextmanager
def _postgresql(
    folder: Path, binaries: Path, user: dict[str, Any], settings: tuple[str, ...]
) -> Iterator[Database]:
    (port,) = free_ports(1)
    data = folder / "data"
    sockets = folder if len(str(folder)) < 80 else Path("/tmp")
    initdb = [str(binaries / "initdb"), "-D", str(data), "-A", "trust", "-U", "postgres", "-E", "UTF8"]
    made = subprocess.run(initdb, capture_output=True, check=False, cwd="/", **user)
    if made.returncode:
        pytest.fail(f"initdb: {made.stderr.decode()}", pytrace=False)
    options = ["listen_addresses=127.0.0.1", f"unix_socket_directories={sockets}", *settings]
    ready = (str(binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port))
    process = ServerProcess(
        [str(binaries / "postgres"), "-D", str(data), "-p", str(port)]
        + [part for option in options for part in ("-c", option)],
        lambda: succeeds(*ready),
        folder / "log",
        stop_signal=signal.SIGINT,
        cwd=Path("/"),
        **user,
    )
    try:
        yield Database("postgresql", Address("127.0.0.1", port, "postgres", ""), process)
    finally:
        process.end()


def _first(*programs: str) -> str | None:
    return next((program for program in programs if shutil.which(program)), None)


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name
