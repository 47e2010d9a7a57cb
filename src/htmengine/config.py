"""Settings of the services: read once, checked whole, every fault reported at once.

They come from the documented files of an application's configuration directory, `application.conf`,
`model-swapper.conf` and `model-checkpoint.conf`; what the documented files do not know has a default, and the section
`[engine]` of `application.conf` changes it. A file of the same name in the folder `overrides` wins over the baseline, and an
environment variable `_NTA_UTILS_CONFIG__<FILE>__<SECTION>__<OPTION>` over both, for options that the files have.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, get_args

import msgspec

from htmengine.errors import MisuseError
from htmengine.exceptions import ApplicationNotConfiguredError

T = TypeVar("T")

BusName = Literal["embedded", "rabbitmq"]
Dialect = Literal["sqlite", "mysql", "postgresql"]
CheckpointStoreName = Literal["sqlite", "repository"]
ModelName = Literal["default", "nupic", "nupic-tm", "nupic-0.3"]

MOST_SHARDS: Final = 256
CONFIG_PATH_VARIABLE: Final = "APPLICATION_CONFIG_PATH"
BATCHES_SUFFIX: Final = ".batches"
"""The exchange of batches is named like the documented results exchange, with this behind."""
RULES_FILE: Final = "monitor-rules.conf"
MONITOR_EVERYTHING: Final = Path(__file__).parent / "conf" / RULES_FILE
SHARED_CONF: Final = Path(__file__).parent.parent / "nta" / "utils" / "conf"
"""Where the original keeps the broker's address, beside the compatibility package."""
OVERRIDES_FOLDER: Final = "overrides"
ENVIRONMENT_PREFIX: Final = "_NTA_UTILS_CONFIG__"


class ConfigError(MisuseError):
    """The configuration cannot be used."""


class Repository(msgspec.Struct, frozen=True, kw_only=True):
    """Where metrics and samples are stored."""

    dialect: Dialect = "sqlite"
    path: Path | None = None  # of the SQLite file
    db: str = "htmengine"
    host: str = "127.0.0.1"
    user: str = "root"
    passwd: str = ""
    port: int = 3306
    tls: bool = False
    ca_file: Path | None = None
    """Certificates that the server's is checked against; None for those that the system trusts."""
    certificate: Path | None = None
    """Of this client, where the server asks for one, with its private `key`."""
    key: Path | None = None
    pool_size: int = 0
    """Connections that are kept open; 0 keeps as many as were ever needed at a time."""
    pool_recycle_s: int = 179
    """A connection of this age is replaced: servers and firewalls drop those that were idle for long."""

    def __repr__(self) -> str:
        """Say where, without the password."""
        if self.dialect == "sqlite":
            return f"Repository({self.path})"
        return f"Repository({self.dialect}://{self.user}@{self.host}:{self.port}/{self.db})"


class Broker(msgspec.Struct, frozen=True, kw_only=True):
    """Where RabbitMQ is, and who asks: `rabbitmq.conf`."""

    host: str = "localhost"
    port: int = 5672
    virtual_host: str = "/"
    user: str = "guest"
    password: str = "guest"
    tls: bool = False
    ca_file: Path | None = None
    """Certificates that the broker's is checked against; None for those that the system trusts."""
    certificate: Path | None = None
    """Of this client, where the broker asks for one, with its private `key`."""
    key: Path | None = None
    management_port: int = 15672

    def __repr__(self) -> str:
        """Say where, without the password."""
        return f"Broker({'amqps' if self.tls else 'amqp'}://{self.user}@{self.host}:{self.port}{self.virtual_host})"


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """The plaintext port."""

    host: str = "127.0.0.1"
    port: int = 2003
    queue: str = "htmengine.metric.custom.data"
    max_line_bytes: int = 4096
    idle_timeout_s: float = 600.0
    max_connections: int = 10_000
    flush_interval_s: float = 0.005
    batch_lines: int = 1000


class Storer(msgspec.Struct, frozen=True, kw_only=True):
    """What is accepted, and which new metrics are monitored."""

    max_future_s: int = 3600
    """A sample whose timestamp lies further ahead of the clock is refused."""
    rules: Path | None = None
    sweep_interval_s: float = 5.0


class Scheduler(msgspec.Struct, frozen=True, kw_only=True):
    """The models."""

    model: ModelName = "default"
    """Parameter set of a metric that is monitored without parameters of its own."""
    resident_bytes: int = 2 << 30
    requests_per_checkpoint: int = 500
    threads: int = 1
    chunk_size: int = 1440
    """Rows that are read from the repository at a time."""
    profiling: bool = False
    """As `Settings.profiling`, for the scheduler: `model-swapper.conf`."""


class Likelihood(msgspec.Struct, frozen=True, kw_only=True):
    """`[anomaly_likelihood]`: of the `nupic` sets; the default set has its own."""

    min_sample_size: int = 100
    refresh_rate: int = 24
    sample_size: int = 8640


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """Removal of old rows."""

    days: float | None = None
    """None keeps everything."""
    interval_s: float = 3600.0


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the services need to know."""

    bus: BusName = "embedded"
    bus_path: Path | None = None
    checkpoint_store: CheckpointStoreName = "sqlite"
    checkpoint_root: Path | None = None
    shards: int = 4
    """Used once, when the repository is created; from then on the repository's own number holds."""
    results_exchange: str = "htmengine.model.results"
    results_queue: str = "htmengine.mswapper.results"
    model_input_queue_prefix: str = "htmengine.mswapper.model.input."
    profiling: bool = False
    """Log how long each batch takes in each service, but for the scheduler."""
    broker: Broker = Broker()
    repository: Repository = Repository()
    listener: Listener = Listener()
    storer: Storer = Storer()
    scheduler: Scheduler = Scheduler()
    likelihood: Likelihood = Likelihood()
    retention: Retention = Retention()

    @property
    def application(self) -> str:
        """The application's name, as its queues are called; it begins the names of the engine's own queues."""
        return self.model_input_queue_prefix.partition(".mswapper.")[0].strip(".")

    @property
    def batches_exchange(self) -> str:
        """The exchange that carries batches of results, many metrics in one message."""
        return self.results_exchange + BATCHES_SUFFIX

    def model_input_queue(self, shard: int) -> str:
        """Return the name of the queue of a shard's model input."""
        return f"{self.model_input_queue_prefix}{shard:04d}"

    def results_shard_queue(self, shard: int) -> str:
        """Return the name of the queue of a shard's results."""
        return f"{self.results_queue}.{shard:04d}"


def embedded(data: Path) -> Settings:
    """Return settings for one machine without servers, everything below one folder.

    Which new metrics get a model, the file `monitor-rules.conf` in the folder says; without it all of them do.
    """
    rules = data / RULES_FILE
    return Settings(
        storer=Storer(rules=rules if rules.exists() else MONITOR_EVERYTHING),
        bus_path=data / "bus.sqlite",
        checkpoint_root=data / "checkpoints",
        repository=Repository(path=data / "repository.sqlite"),
    )


def config_dir_from_environment() -> Path | None:
    """Return the directory that APPLICATION_CONFIG_PATH names, or None where it is not set."""
    named = os.environ.get(CONFIG_PATH_VARIABLE)
    return Path(named) if named else None


def required_config_dir() -> Path:
    """Return the directory that APPLICATION_CONFIG_PATH names. Raises ApplicationNotConfiguredError."""
    directory = config_dir_from_environment()
    if directory is None:
        raise ApplicationNotConfiguredError(
            f"{CONFIG_PATH_VARIABLE} is not set; set it to the directory that holds application.conf"
        )
    return directory


def load(directory: Path) -> Settings:
    """Return the settings in an application's configuration directory.

    Raises
    ------
    ConfigError : the directory or a file is missing, or a value cannot be used. The message lists every fault.
    """
    if not directory.is_dir():
        raise ConfigError(
            f"{directory}: there is no such configuration directory.",
            hint=f"Set {CONFIG_PATH_VARIABLE} to the directory that holds application.conf.",
        )
    reader = _Reader(directory)
    application, swapper, checkpoint = "application.conf", "model-swapper.conf", "model-checkpoint.conf"
    # A configuration of the original engine knows no [engine]: it was written for RabbitMQ and MySQL.
    original = not reader.file(application).has_section("engine")
    data = reader.get(application, "engine", "data_dir", _path, None)
    dialect: Dialect = reader.choice(
        application, "engine", "repository", get_args(Dialect), "mysql" if original else "sqlite"
    )
    bus: BusName = reader.choice(
        application, "engine", "bus", get_args(BusName), "rabbitmq" if original else "embedded"
    )
    needs_data = bus == "embedded" or dialect == "sqlite"
    if needs_data and data is None:
        reader.fault(
            application, "[engine] data_dir is missing; embedded parts need a folder for their files"
        )
        data = directory
    root = reader.get(checkpoint, "storage", "root", _path, data / "checkpoints" if data else None)
    defaults = Settings()
    listener, storer, scheduler = defaults.listener, defaults.storer, defaults.scheduler
    rules = directory / RULES_FILE
    settings = Settings(
        bus=bus,
        bus_path=data / "bus.sqlite" if data else None,
        checkpoint_store=reader.choice(
            application,
            "engine",
            "checkpoint_store",
            get_args(CheckpointStoreName),
            defaults.checkpoint_store,
        ),
        checkpoint_root=root,
        shards=reader.get(
            application, "engine", "shards", _shards, 16 if bus == "rabbitmq" else defaults.shards
        ),
        results_exchange=reader.get(
            application, "metric_streamer", "results_exchange_name", str, defaults.results_exchange
        ),
        results_queue=reader.get(swapper, "interface_bus", "results_queue", str, defaults.results_queue),
        model_input_queue_prefix=reader.get(
            swapper, "interface_bus", "model_input_queue_prefix", str, defaults.model_input_queue_prefix
        ),
        profiling=reader.get(application, "debugging", "profiling", _boolean, False),
        broker=_broker(reader),
        repository=Repository(
            dialect=dialect,
            path=data / "repository.sqlite" if data and dialect == "sqlite" else None,
            db=reader.get(application, "repository", "db", str, "htmengine"),
            host=reader.get(application, "repository", "host", str, "127.0.0.1"),
            user=reader.get(application, "repository", "user", str, "root"),
            passwd=reader.get(application, "repository", "passwd", str, ""),
            port=reader.get(
                application, "repository", "port", _port, 5432 if dialect == "postgresql" else 3306
            ),
            tls=reader.get(application, "repository", "tls", _boolean, False),
            ca_file=reader.get(application, "repository", "tls_ca_file", _path, None),
            certificate=reader.get(application, "repository", "tls_certificate", _path, None),
            key=reader.get(application, "repository", "tls_key", _path, None),
            pool_size=reader.get(application, "repository", "pool_size", _count, 0),
            pool_recycle_s=reader.get(application, "repository", "pool_recycle", _positive, 179),
        ),
        listener=Listener(
            host=reader.get(application, "metric_listener", "host", str, listener.host),
            port=reader.get(application, "metric_listener", "plaintext_port", _port, listener.port),
            queue=reader.get(application, "metric_listener", "queue_name", str, listener.queue),
            max_line_bytes=reader.get(
                application, "engine", "max_line_bytes", _positive, listener.max_line_bytes
            ),
            idle_timeout_s=reader.get(
                application, "engine", "idle_timeout", _seconds, listener.idle_timeout_s
            ),
            max_connections=reader.get(
                application, "engine", "max_connections", _positive, listener.max_connections
            ),
        ),
        storer=Storer(
            max_future_s=reader.get(application, "engine", "max_future", _positive, storer.max_future_s),
            rules=rules if rules.exists() else None,
        ),
        scheduler=Scheduler(
            model=reader.choice(application, "engine", "model", get_args(ModelName), scheduler.model),
            resident_bytes=reader.get(
                application, "engine", "resident_mebibytes", _positive, scheduler.resident_bytes >> 20
            )
            << 20,
            requests_per_checkpoint=reader.get(
                swapper, "model_runner", "target_requests_per_checkpoint", _positive, 500
            ),
            profiling=reader.get(swapper, "debugging", "profiling", _boolean, False),
            threads=reader.get(application, "engine", "threads", _positive, scheduler.threads),
            chunk_size=reader.get(
                application, "metric_streamer", "chunk_size", _positive, scheduler.chunk_size
            ),
        ),
        likelihood=Likelihood(
            min_sample_size=reader.get(
                application, "anomaly_likelihood", "statistics_min_sample_size", _positive, 100
            ),
            refresh_rate=reader.get(
                application, "anomaly_likelihood", "statistics_refresh_rate", _positive, 24
            ),
            sample_size=reader.get(
                application, "anomaly_likelihood", "statistics_sample_size", _positive, 8640
            ),
        ),
        retention=Retention(days=reader.get(application, "engine", "retention_days", _seconds, None)),
    )
    reader.raise_faults()
    return settings


def load_broker(directory: Path | None) -> Broker:
    """Return what `rabbitmq.conf` says: that in a configuration directory, or the one that all applications share.

    Raises
    ------
    ConfigError : a value cannot be used. The message lists every fault.
    """
    reader = _Reader(directory or SHARED_CONF)
    broker = _broker(reader)
    reader.raise_faults()
    return broker


def _broker(reader: _Reader) -> Broker:
    """Read `rabbitmq.conf`: the application's, or that of `nta.utils`, which all applications of a machine share."""
    file, defaults = "rabbitmq.conf", Broker()
    if not (reader.directory / file).exists():
        reader = _Reader(SHARED_CONF, reader.faults)
    return Broker(
        host=reader.get(file, "connection", "host", str, defaults.host),
        port=reader.get(file, "connection", "port", _port, defaults.port),
        virtual_host=reader.get(file, "connection", "virtual_host", str, defaults.virtual_host),
        user=reader.get(file, "credentials", "user", str, defaults.user),
        password=reader.get(file, "credentials", "password", str, defaults.password),
        tls=reader.get(file, "tls", "enabled", _boolean, defaults.tls),
        ca_file=reader.get(file, "tls", "ca_file", _path, None),
        certificate=reader.get(file, "tls", "certificate", _path, None),
        key=reader.get(file, "tls", "key", _path, None),
        management_port=reader.get(file, "management", "port", _port, defaults.management_port),
    )


class _Reader:
    """Reads options of several files and gathers what is wrong with them."""

    def __init__(self, directory: Path, faults: list[str] | None = None) -> None:
        self.directory = directory
        self.faults: list[str] = [] if faults is None else faults
        self.files: dict[str, configparser.ConfigParser] = {}

    def fault(self, file: str | Path, what: str) -> None:
        self.faults.append(f"{self.directory / file}: {what}")

    def file(self, name: str) -> configparser.ConfigParser:
        if name not in self.files:
            self.files[name] = configparser.ConfigParser()
            found = self._read(name, self.directory / name)
            self._read(name, self.directory / OVERRIDES_FOLDER / name)
            if not found and name == "application.conf":
                self.fault(name, "there is no such file")
        return self.files[name]

    def _read(self, name: str, path: Path) -> bool:
        try:
            with path.open(encoding="utf-8") as opened:
                self.files[name].read_file(opened)
        except FileNotFoundError:
            return False
        except (OSError, UnicodeDecodeError, configparser.Error) as error:
            self.fault(path.relative_to(self.directory), f"cannot be read: {error}".replace("\n", " "))
        return True

    def get(self, file: str, section: str, option: str, convert: Callable[[str], T], default: Any) -> Any:
        parser = self.file(file)
        if not parser.has_option(section, option):
            return default
        try:
            text = os.environ.get(environment_name(file, section, option)) or parser.get(section, option)
            return convert(text)
        except configparser.Error as error:
            self.fault(file, f"[{section}] {option}: {error}".replace("\n", " "))
        except ValueError as error:
            self.fault(file, f'[{section}] {option} = "{text}" {error}')
        return default

    def choice(self, file: str, section: str, option: str, choices: tuple[str, ...], default: str) -> Any:
        def convert(text: str) -> str:
            if text not in choices:
                raise ValueError(f"is none of {', '.join(choices)}")
            return text

        return self.get(file, section, option, convert, default)

    def raise_faults(self) -> None:
        if self.faults:
            raise ConfigError(
                "\n".join(self.faults), hint="Correct what is listed, and start the service again."
            )


def environment_name(file: str, section: str, option: str) -> str:
    """Return the environment variable that overrides an option."""
    names = "__".join((file.partition(".")[0], section, option))
    return ENVIRONMENT_PREFIX + names.upper().replace("-", "_")


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("is not a whole number") from None


def _positive(text: str) -> int:
    number = _whole(text)
    if number < 1:
        raise ValueError("is not a positive number")
    return number


def _count(text: str) -> int:
    number = _whole(text)
    if number < 0:
        raise ValueError("is a negative number")
    return number


def _port(text: str) -> int:
    number = _whole(text)
    if not 0 < number < 65536:
        raise ValueError("is not a port, 1 to 65535")
    return number


def _shards(text: str) -> int:
    number = _whole(text)
    if not 1 <= number <= MOST_SHARDS:
        raise ValueError(f"is not a number of shards, 1 to {MOST_SHARDS}")
    return number


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError("is not a number") from None
    if not number > 0:
        raise ValueError("is not a positive number")
    return number


def _boolean(text: str) -> bool:
    try:
        return configparser.ConfigParser.BOOLEAN_STATES[text.lower()]
    except KeyError:
        raise ValueError("is neither true nor false") from None


def _path(text: str) -> Path:
    path = Path(os.path.expandvars(text)).expanduser()
    if not path.is_absolute():
        raise ValueError("is not an absolute path")
    return path
