"""Settings of the services: read once, checked whole, every fault reported at once.

They come from the documented files of an application's configuration directory, `application.conf`,
`model-swapper.conf` and `model-checkpoint.conf`; what the documented files do not know has a default, and the section
`[engine]` of `application.conf` changes it. A file of the same name in the folder `overrides` wins over the baseline, and an
environment variable `_NTA_UTILS_CONFIG__<FILE>__<SECTION>__<OPTION>` over both, for options that the files have.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final, Literal, get_args

import msgspec

from htmengine import extras, foreign
from htmengine.config.options import (
    OptionReader,
    absolute_path,
    boolean,
    count,
    host_and_port,
    metric_address,
    names,
    port,
    port_or_none,
    positive_count,
    positive_number,
    readable_file,
    receiving_address,
    web_address,
    whole_number,
)
from htmengine.doors.limits import Limits
from htmengine.doors.samples import Counters
from htmengine.doors.statsd import Dialect as StatsdDialect
from htmengine.doors.statsd_aggregation import STATISTICS
from htmengine.doors.statsd_aggregation import Series as StatsdSeries
from htmengine.errors import ConfigError
from htmengine.exceptions import ApplicationNotConfiguredError
from htmengine.system.memory import available_bytes

BusName = Literal["embedded", "rabbitmq"]
Dialect = Literal["sqlite", "mysql", "postgresql"]
CheckpointStoreName = Literal["sqlite", "repository"]
ModelName = Literal["default", "nupic", "nupic-tm", "nupic-0.3"]

APPLICATION: Final = "application.conf"
SWAPPER: Final = "model-swapper.conf"
POSTGRESQL_PORT: Final = 5432
MIN_RESIDENT_MEBIBYTES, UNKNOWN_MEBIBYTES = 256, 2048
"""For models, where nothing else is said: at least, and where it is not known how much memory there is."""
CACHE_BYTES: Final = 4 << 20, 128 << 20
"""Of a SQLite file's writer, at least and at most."""
MAX_SMALL_CACHE_BYTES: Final = 16 << 20
"""Of the files of checkpoints and of queues, of which little is read again."""
ON_THE_WAY_BYTES: Final = 44 << 20
"""Blocks that are read and written, rows, messages, what the C library has free between two times that it is given back,
and what the other services of an engine take while samples come."""
SET_ELSEWHERE: Final = {
    "data_queues": "`htmengine queues NUMBER` sets among how many queues samples are divided"
}
"""What changes while everything runs is no option of [engine]."""
SHARDS_ON_RABBITMQ: Final = 16
MAX_SHARDS: Final = 256
MAX_DATA_QUEUES: Final = 64
CONFIG_PATH_VARIABLE: Final = "APPLICATION_CONFIG_PATH"
BATCHES_SUFFIX: Final = ".batches"
"""The exchange of batches is named like the documented results exchange, with this behind."""
RULES_FILE: Final = "monitor-rules.conf"
ALERTS_FILE: Final = "alerts.toml"
MONITOR_EVERYTHING: Final = Path(__file__).parent / "templates" / RULES_FILE
SHARED_CONF: Final = Path(__file__).parents[2] / "nta" / "utils" / "conf"
"""Where the original keeps the broker's address, beside the compatibility package."""


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
    timeout_s: float = 30.0
    """A server that does not answer for so long is unavailable."""

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
    timeout_s: float = 30.0
    """A broker that does not answer for so long is unavailable."""

    def __repr__(self) -> str:
        """Say where, without the password."""
        return f"Broker({'amqps' if self.tls else 'amqp'}://{self.user}@{self.host}:{self.port}{self.virtual_host})"


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """The ports of Graphite's protocols."""

    host: str = "127.0.0.1"
    port: int = 2003
    """Of the plaintext protocol."""
    pickle_port: int = 0
    """Of the pickle protocol; 0: none."""
    certificate: Path | None = None
    """Both ports speak TLS, with this certificate and its private `key`."""
    key: Path | None = None
    client_ca_file: Path | None = None
    """Senders must show a certificate that one of these issued; None: they need none."""
    queue: str = "htmengine.metric.custom.data"
    max_line_bytes: int = 4096
    idle_timeout_s: float = 600.0
    max_connections: int = 10_000
    flush_interval_s: float = 0.005
    batch_lines: int = 1000


class Statsd(msgspec.Struct, frozen=True, kw_only=True):
    """The port for StatsD."""

    host: str = "127.0.0.1"
    port: int = 0
    """Over UDP and TCP; 0: none."""
    interval_s: float = 60.0
    """Of what comes within it one sample of each kind is made."""
    dialect: StatsdDialect = StatsdDialect()
    series: StatsdSeries = StatsdSeries()


class Doors(msgspec.Struct, frozen=True, kw_only=True):
    """What the doors over HTTP take."""

    limits: Limits = Limits()
    influx_port: int = 0
    otlp_port: int = 0
    """Further ports of the web server, for senders that cannot be told another; 0: none."""
    remote_write_counters: Counters = "rate"
    otlp_counters: Counters = "rate"
    drop_labels: tuple[str, ...] = ()
    """Labels that series of remote write lose."""
    buckets: bool = False
    """Take the buckets of Prometheus' histograms, too."""
    resource_attributes: tuple[str, ...] = (
        "service.name",
        "service.namespace",
        "host.name",
        "k8s.pod.name",
    )
    """Attributes of OpenTelemetry's resources that become tags. An instance's identifier is new at every start."""


class Http(msgspec.Struct, frozen=True, kw_only=True):
    """The web server: the page and the HTTP API."""

    host: str = "127.0.0.1"
    port: int = 2080
    """0: none."""
    certificate: Path | None = None
    """Serve HTTPS with this certificate and its private `key`."""
    key: Path | None = None
    public_url: str | None = None
    """Where users reach the page, if not at `host` and `port`: behind a proxy."""
    grafana_url: str | None = None
    """Address of a metric in Grafana: `{metric}`, `{from}` and `{to}` stand for its name and for milliseconds since the epoch."""
    allowed_hosts: tuple[str, ...] = ()
    """Names that requests may ask for, beside this machine's own and that of `public_url`."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    require_token: bool = False
    """Ask for a token on this machine, too."""
    requests_per_s: float = 100.0
    """That one client may send in the long run; it may send as many as in ten seconds at once."""

    @property
    def is_local(self) -> bool:
        """Whether only this machine can connect."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")


class Prometheus(msgspec.Struct, frozen=True, kw_only=True):
    """What Prometheus gets from the web server."""

    scores: bool = False
    """Give the newest scores of metrics, too."""


class Mcp(msgspec.Struct, frozen=True, kw_only=True):
    """Tools for language models."""

    enabled: bool = False
    write: bool = False
    """Whether there are tools that acknowledge, snooze and label, for tokens with the scope `teach`."""


class Graphite(msgspec.Struct, frozen=True, kw_only=True):
    """Graphite's API for reading."""

    branch: str = "_htm"
    """Root of the names by which clients without functions get scores and bands."""


WritebackSeries = Literal[
    "value", "log_score", "anomaly_score", "forecast", "usual_low", "usual_high", "alarm"
]


class Writeback(msgspec.Struct, frozen=True, kw_only=True):
    """Where scores are written back to; nowhere by default."""

    graphite: tuple[str, int] | None = None
    """Host and port of the plaintext protocol."""
    remote_write: str | None = None
    """Address of Prometheus' remote write."""
    remote_write_token_file: Path | None = None
    influx: str | None = None
    """Address for InfluxDB's line protocol, with its query."""
    influx_token_file: Path | None = None
    prefix: str = "htm"
    """Begins the names of the series."""
    series: tuple[WritebackSeries, ...] = ("log_score", "usual_low", "usual_high", "alarm")
    match: str = "*"
    """A pattern of the metrics' names."""
    history: bool = False
    """Write the rows back, too, that were there before the receiver was named."""
    interval_s: float = 5.0


class Storer(msgspec.Struct, frozen=True, kw_only=True):
    """What is accepted, and which new metrics are monitored."""

    max_future_s: int = 3600
    """A sample whose timestamp lies further ahead of the clock is refused."""
    rules: Path | None = None
    """Where the file of rules is, or where it is made; None for no place."""
    rules_without_file: Path | None = None
    """The rules that hold while there is no such file; None for none."""
    new_series_per_minute: int = 100_000
    """Metrics that samples may create; 0 for as many as there are."""
    max_series: int = 1_000_000
    """Metrics in all, beyond which samples create none; 0 for as many as there are."""
    compress_rows: bool | None = None
    """Where the repository is a SQLite file: older rows become blocks. None: as the file says, which `htmengine db compress` changes."""
    sweep_interval_s: float = 5.0

    @property
    def rules_in_use(self) -> Path | None:
        """The file whose rules hold now; None for none."""
        return self.rules if self.rules is not None and self.rules.exists() else self.rules_without_file


def _resident_bytes() -> int:
    """Return how much memory models get by default, whole mebibytes: a quarter of what there is."""
    available = available_bytes() >> 20
    return (max(MIN_RESIDENT_MEBIBYTES, available // 4) if available else UNKNOWN_MEBIBYTES) << 20


class Scheduler(msgspec.Struct, frozen=True, kw_only=True):
    """The models."""

    model: ModelName = "default"
    """Parameter set of a metric that is monitored without parameters of its own."""
    resident_bytes: int = msgspec.field(default_factory=_resident_bytes)
    """What the process may grow by for models: they themselves, pages of files that are kept beside them, and what is on
    its way between both."""
    requests_per_checkpoint: int = 500
    threads: int = 1
    chunk_size: int = 1440
    """Rows that are read from the repository at a time."""
    profiling: bool = False
    """As `Settings.profiling`, for the scheduler: `model-swapper.conf`."""

    @property
    def cache_bytes(self) -> int:
        """Pages that the writer of the repository's file keeps in memory: with many metrics it writes all over the file."""
        return min(max(CACHE_BYTES[0], self.resident_bytes // 16), CACHE_BYTES[1])

    @property
    def small_cache_bytes(self) -> int:
        """Pages that are kept of the file of checkpoints, of which little is read again, and of the queues' file, which is small."""
        return min(max(CACHE_BYTES[0], self.resident_bytes // 32), MAX_SMALL_CACHE_BYTES)

    @property
    def model_bytes(self) -> int:
        """What is left of the memory for the models themselves."""
        beside = self.cache_bytes + 2 * self.small_cache_bytes + ON_THE_WAY_BYTES
        return max(self.resident_bytes - beside, self.resident_bytes // 2)


class Likelihood(msgspec.Struct, frozen=True, kw_only=True):
    """`[anomaly_likelihood]`: of the `nupic` sets; the default set has its own."""

    min_sample_size: int = 100
    refresh_rate: int = 24
    sample_size: int = 8640


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """Removal of old rows."""

    days: float | None = None
    """Of samples. None keeps them as long as there is room."""
    gibibytes: float | None = None
    """Of samples in a file. None keeps them as long as the disk has room for other things, too."""
    history_days: float | None = None
    """Of alarms and hours, which outlive their samples. None keeps everything."""
    interval_s: float = 3600.0


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the services need to know."""

    bus: BusName = "embedded"
    bus_path: Path | None = None
    checkpoint_store: CheckpointStoreName = "sqlite"
    checkpoint_root: Path | None = None
    shards: int = 1
    """Used once, when the repository is created; from then on the repository's own number holds."""
    results_exchange: str = "htmengine.model.results"
    results_queue: str = "htmengine.mswapper.results"
    model_input_queue_prefix: str = "htmengine.mswapper.model.input."
    profiling: bool = False
    """Log how long each batch takes in each service, but for the scheduler."""
    broker: Broker = Broker()
    repository: Repository = Repository()
    listener: Listener = Listener()
    statsd: Statsd = Statsd()
    doors: Doors = Doors()
    http: Http = Http()
    prometheus: Prometheus = Prometheus()
    graphite: Graphite = Graphite()
    writeback: Writeback = Writeback()
    mcp: Mcp = Mcp()
    storer: Storer = Storer()
    scheduler: Scheduler = Scheduler()
    likelihood: Likelihood = Likelihood()
    retention: Retention = Retention()
    alerts: Path | None = None
    """The file that says who is told of incidents; it need not exist."""

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

    def data_queue(self, epoch: int, part: int) -> str:
        """Return the name of one of several metric-data queues, which are others after each change of their number."""
        return f"{self.listener.queue}.{epoch:04d}.{part:04d}"

    def data_gate(self, epoch: int) -> str:
        """Return the name of the gate by which the engine's own programs publish to the metric-data queues of an epoch."""
        return f"{self.listener.queue}.gate.{epoch:04d}"

    def is_data_queue(self, name: str) -> bool:
        """Tell whether this is one of several metric-data queues."""
        return name.startswith(f"{self.listener.queue}.")

    def results_shard_queue(self, shard: int) -> str:
        """Return the name of the queue of a shard's results."""
        return f"{self.results_queue}.{shard:04d}"

    def with_scheduler(self, **changes: Any) -> Settings:
        """Return these settings with some of the scheduler's changed."""
        return msgspec.structs.replace(self, scheduler=msgspec.structs.replace(self.scheduler, **changes))


def embedded(data: Path) -> Settings:
    """Return settings for one machine without servers, everything below one folder.

    Which new metrics get a model, the file `monitor-rules.conf` in the folder says; without it all of them do. Who is told
    of incidents, the file `alerts.toml` says; without it nobody is. What else is to be other than usual, the file
    `application.conf` says.

    Raises
    ------
    ConfigError : a value in `application.conf` cannot be used. The message lists every fault.
    PackageMissing : it asks for something that needs a package that is not installed.
    """
    if (data / APPLICATION).is_file():
        settings = _loaded(data, data)
        storer = msgspec.structs.replace(settings.storer, rules_without_file=MONITOR_EVERYTHING)
        return msgspec.structs.replace(settings, storer=storer)
    return Settings(
        storer=Storer(rules=data / RULES_FILE, rules_without_file=MONITOR_EVERYTHING),
        bus_path=data / "bus.sqlite",
        checkpoint_root=data / "checkpoints",
        repository=Repository(path=data / "repository.sqlite"),
        alerts=data / ALERTS_FILE,
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
    PackageMissing : the bus or the repository needs a package that is not installed.
    """
    if not directory.is_dir():
        raise ConfigError(
            f"{directory}: there is no such configuration directory.",
            hint=f"Set {CONFIG_PATH_VARIABLE} to the directory that holds application.conf.",
        )
    return _loaded(directory)


def _loaded(directory: Path, data: Path | None = None) -> Settings:
    """Return what the files in a directory say; `data`: the folder of embedded parts, where they do not name it."""
    reader = OptionReader(directory)
    settings = _settings(reader, data)
    reader.raise_faults()
    file = directory / APPLICATION
    if settings.mcp.enabled:
        extras.require("mcp", f"{file}: [mcp] enabled = true")
    if settings.bus == "rabbitmq":
        extras.require("rabbitmq", f"{file}: [engine] bus = rabbitmq")
    if settings.repository.dialect != "sqlite":
        dialect = settings.repository.dialect
        extras.require(dialect, f"{file}: [engine] repository = {dialect}")
    return settings


def load_broker(directory: Path | None) -> Broker:
    """Return what `rabbitmq.conf` says: that in a configuration directory, or the one that all applications share.

    Raises
    ------
    ConfigError : a value cannot be used. The message lists every fault.
    """
    reader = OptionReader(directory or SHARED_CONF)
    broker = _broker(reader)
    reader.raise_faults()
    return broker


def _settings(reader: OptionReader, folder: Path | None) -> Settings:
    defaults = Settings()
    engine = reader.section(APPLICATION, "engine", required=True)
    interface = reader.section(SWAPPER, "interface_bus")
    # A configuration of the original engine knows no [engine]: it was written for RabbitMQ and MySQL.
    original = folder is None and not engine.exists
    data = engine.get("data_dir", absolute_path, folder)
    if folder is not None and data != folder:
        engine.fault(f"data_dir is {data}, but this file lies in a data folder itself; leave the option out")
    dialect: Dialect = engine.choice("repository", get_args(Dialect), "mysql" if original else "sqlite")
    bus: BusName = engine.choice("bus", get_args(BusName), "rabbitmq" if original else "embedded")
    if data is None and (bus == "embedded" or dialect == "sqlite"):
        engine.fault("data_dir is missing; embedded parts need a folder for their files")
        data = reader.directory
    storage = reader.section("model-checkpoint.conf", "storage")
    settings = Settings(
        bus=bus,
        bus_path=data / "bus.sqlite" if data else None,
        checkpoint_root=storage.get("root", absolute_path, data / "checkpoints" if data else None),
        checkpoint_store=engine.choice(
            "checkpoint_store", get_args(CheckpointStoreName), defaults.checkpoint_store
        ),
        shards=engine.get("shards", _shards, SHARDS_ON_RABBITMQ if bus == "rabbitmq" else defaults.shards),
        results_exchange=reader.section(APPLICATION, "metric_streamer").get(
            "results_exchange_name", str, defaults.results_exchange
        ),
        results_queue=interface.get("results_queue", str, defaults.results_queue),
        model_input_queue_prefix=interface.get(
            "model_input_queue_prefix", str, defaults.model_input_queue_prefix
        ),
        profiling=reader.section(APPLICATION, "debugging").get("profiling", boolean, defaults.profiling),
        broker=_broker(reader),
        repository=_repository(reader, dialect, data),
        listener=_listener(reader),
        statsd=_statsd(reader),
        doors=_doors(reader),
        http=_http(reader),
        prometheus=_prometheus(reader),
        graphite=_graphite(reader),
        writeback=_writeback(reader),
        mcp=_mcp(reader),
        storer=_storer(reader),
        scheduler=_scheduler(reader),
        likelihood=_likelihood(reader),
        retention=Retention(
            days=engine.get("retention_days", positive_number, None),
            gibibytes=engine.get("retention_gibibytes", positive_number, None),
            history_days=engine.get("history_days", positive_number, None),
        ),
        alerts=reader.directory / ALERTS_FILE,
    )
    reader.refuse_others(APPLICATION, "engine", elsewhere=SET_ELSEWHERE)
    for section in ("statsd", "remote_write", "otlp", "influx", "limits"):
        reader.refuse_others(APPLICATION, section)
    return settings


def _repository(reader: OptionReader, dialect: Dialect, data: Path | None) -> Repository:
    section, defaults = reader.section(APPLICATION, "repository"), Repository()
    encrypted = section.get("tls", boolean, defaults.tls)
    tls_file = readable_file if encrypted else absolute_path
    return Repository(
        dialect=dialect,
        path=data / "repository.sqlite" if data and dialect == "sqlite" else None,
        db=section.get("db", str, defaults.db),
        host=section.get("host", str, defaults.host),
        user=section.get("user", str, defaults.user),
        passwd=section.get("passwd", str, defaults.passwd),
        port=section.get("port", port, POSTGRESQL_PORT if dialect == "postgresql" else defaults.port),
        tls=encrypted,
        ca_file=section.get("tls_ca_file", tls_file, None),
        certificate=section.get("tls_certificate", tls_file, None),
        key=section.get("tls_key", tls_file, None),
        pool_size=section.get("pool_size", count, defaults.pool_size),
        pool_recycle_s=section.get("pool_recycle", positive_count, defaults.pool_recycle_s),
        timeout_s=section.get("timeout", positive_number, defaults.timeout_s),
    )


def _listener(reader: OptionReader) -> Listener:
    section, defaults = reader.section(APPLICATION, "metric_listener"), Listener()
    engine = reader.section(APPLICATION, "engine")
    listener = Listener(
        host=section.get("host", str, defaults.host),
        port=section.get("plaintext_port", port, defaults.port),
        pickle_port=section.get("pickle_port", port_or_none, defaults.pickle_port),
        certificate=section.get("tls_certificate", absolute_path, None),
        key=section.get("tls_key", absolute_path, None),
        client_ca_file=section.get("tls_client_ca_file", absolute_path, None),
        queue=section.get("queue_name", str, defaults.queue),
        max_line_bytes=engine.get("max_line_bytes", positive_count, defaults.max_line_bytes),
        idle_timeout_s=engine.get("idle_timeout", positive_number, defaults.idle_timeout_s),
        max_connections=engine.get("max_connections", positive_count, defaults.max_connections),
    )
    if (listener.certificate is None) != (listener.key is None):
        section.fault("names one of tls_certificate and tls_key; TLS needs both")
    elif listener.client_ca_file and not listener.certificate:
        section.fault("names tls_client_ca_file; TLS needs tls_certificate and tls_key, too")
    reader.refuse_others(APPLICATION, "metric_listener", "tls")  # a wrong name would leave a port open
    return listener


def _statsd(reader: OptionReader) -> Statsd:
    section, defaults = reader.section(APPLICATION, "statsd"), Statsd()
    return Statsd(
        host=section.get("host", str, defaults.host),
        port=section.get("port", port_or_none, defaults.port),
        interval_s=section.get("flush", positive_number, defaults.interval_s),
        dialect=StatsdDialect(
            signed_gauges=section.choice(
                "signed_gauges", ("delta", "absolute"), defaults.dialect.signed_gauges
            ),
            sanitize=section.choice("sanitize", ("statsd", "none"), defaults.dialect.sanitize),
        ),
        series=StatsdSeries(
            timers=section.get("timers", _statistics, defaults.series.timers),
            percentiles=section.get("percentiles", _percentiles, defaults.series.percentiles),
            counts=section.get("counts", boolean, defaults.series.counts),
            prefix=section.get("prefix", _prefix, defaults.series.prefix),
            legacy_names=section.get("legacy_names", boolean, defaults.series.legacy_names),
        ),
    )


def _statistics(text: str) -> tuple[str, ...]:
    chosen = names(text)
    for name in chosen:
        if name not in STATISTICS:
            raise ValueError(f"has {name}; there are {', '.join(STATISTICS)}")
    return chosen


def _percentiles(text: str) -> tuple[float, ...]:
    found = []
    for part in names(text):
        try:
            found.append(foreign.number(part))
        except ValueError:
            raise ValueError(f"has {part}, which is not a number") from None
        if not 0 < abs(found[-1]) <= 100:
            raise ValueError(
                f"has {part}; a percentile is above 0 and up to 100, or negative, of the largest"
            )
    return tuple(found)


def _prefix(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.:-]*", text):
        raise ValueError("cannot begin a name: letters, digits, and the signs . _ : -")
    return text


def _doors(reader: OptionReader) -> Doors:
    defaults = Doors()
    limits = reader.section(APPLICATION, "limits")
    remote_write = reader.section(APPLICATION, "remote_write")
    otlp, influx = reader.section(APPLICATION, "otlp"), reader.section(APPLICATION, "influx")
    return Doors(
        limits=Limits(
            body=limits.get("body", positive_count, defaults.limits.body),
            inflated=limits.get("inflated", positive_count, defaults.limits.inflated),
            samples=limits.get("samples", positive_count, defaults.limits.samples),
        ),
        influx_port=influx.get("extra_port", port_or_none, defaults.influx_port),
        otlp_port=otlp.get("extra_port", port_or_none, defaults.otlp_port),
        remote_write_counters=remote_write.choice(
            "counters", get_args(Counters), defaults.remote_write_counters
        ),
        otlp_counters=otlp.choice("counters", get_args(Counters), defaults.otlp_counters),
        drop_labels=remote_write.get("drop_labels", names, defaults.drop_labels),
        buckets=remote_write.get("buckets", boolean, defaults.buckets),
        resource_attributes=otlp.get("resource_attributes", names, defaults.resource_attributes),
    )


def _http(reader: OptionReader) -> Http:
    section, defaults = reader.section(APPLICATION, "http"), Http()
    http = Http(
        host=section.get("host", str, defaults.host),
        port=section.get("port", port_or_none, defaults.port),
        certificate=section.get("tls_certificate", absolute_path, None),
        key=section.get("tls_key", absolute_path, None),
        public_url=section.get("public_url", web_address, None),
        grafana_url=section.get("grafana_url", metric_address, None),
        allowed_hosts=section.get("allowed_hosts", names, ()),
        trusted_proxies=section.get("trusted_proxies", names, ()),
        require_token=section.get("require_token", boolean, defaults.require_token),
        requests_per_s=section.get("requests_per_second", positive_number, defaults.requests_per_s),
    )
    if (http.certificate is None) != (http.key is None):
        section.fault("names one of tls_certificate and tls_key; HTTPS needs both")
    reader.refuse_others(APPLICATION, "http")
    return http


def _prometheus(reader: OptionReader) -> Prometheus:
    section, defaults = reader.section(APPLICATION, "prometheus"), Prometheus()
    prometheus = Prometheus(scores=section.get("scores", boolean, defaults.scores))
    reader.refuse_others(APPLICATION, "prometheus")
    return prometheus


def _graphite(reader: OptionReader) -> Graphite:
    section, defaults = reader.section(APPLICATION, "graphite"), Graphite()
    graphite = Graphite(branch=section.get("branch", _branch, defaults.branch))
    reader.refuse_others(APPLICATION, "graphite")
    return graphite


def _branch(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise ValueError("is no part of a name: letters, digits, _ and -")
    return text


def _mcp(reader: OptionReader) -> Mcp:
    section, defaults = reader.section(APPLICATION, "mcp"), Mcp()
    mcp = Mcp(
        enabled=section.get("enabled", boolean, defaults.enabled),
        write=section.get("write", boolean, defaults.write),
    )
    reader.refuse_others(APPLICATION, "mcp")
    return mcp


def _writeback(reader: OptionReader) -> Writeback:
    section, defaults = reader.section(APPLICATION, "writeback"), Writeback()
    writeback = Writeback(
        graphite=section.get("graphite", host_and_port, None),
        remote_write=section.get("remote_write", receiving_address, None),
        remote_write_token_file=section.get("remote_write_token_file", absolute_path, None),
        influx=section.get("influx", receiving_address, None),
        influx_token_file=section.get("influx_token_file", absolute_path, None),
        prefix=section.get("prefix", _branch, defaults.prefix),
        series=section.get("series", _written_series, defaults.series),
        match=section.get("match", _pattern, defaults.match),
        history=section.get("history", boolean, defaults.history),
        interval_s=section.get("interval", positive_number, defaults.interval_s),
    )
    reader.refuse_others(APPLICATION, "writeback")
    return writeback


def _written_series(text: str) -> tuple[WritebackSeries, ...]:
    known: tuple[WritebackSeries, ...] = get_args(WritebackSeries)
    found = names(text)
    if not found or not set(found) <= set(known):
        raise ValueError(f"is no list of {', '.join(known)}")
    return tuple(name for name in known if name in found)


def _pattern(text: str) -> str:
    if not text:
        raise ValueError("fits nothing; * fits every metric")
    return text


def _storer(reader: OptionReader) -> Storer:
    engine, rules = reader.section(APPLICATION, "engine"), reader.directory / RULES_FILE
    limits = reader.section(APPLICATION, "limits")
    return Storer(
        max_future_s=engine.get("max_future", positive_count, Storer().max_future_s),
        rules=rules,
        new_series_per_minute=limits.get("new_series_per_minute", count, Storer().new_series_per_minute),
        max_series=limits.get("max_series", count, Storer().max_series),
        compress_rows=engine.get("compress_rows", boolean, None),
    )


def _scheduler(reader: OptionReader) -> Scheduler:
    engine, defaults = reader.section(APPLICATION, "engine"), Scheduler()
    return Scheduler(
        model=engine.choice("model", get_args(ModelName), defaults.model),
        resident_bytes=engine.get("resident_mebibytes", positive_count, defaults.resident_bytes >> 20) << 20,
        requests_per_checkpoint=reader.section(SWAPPER, "model_runner").get(
            "target_requests_per_checkpoint", positive_count, defaults.requests_per_checkpoint
        ),
        profiling=reader.section(SWAPPER, "debugging").get("profiling", boolean, defaults.profiling),
        threads=engine.get("threads", positive_count, defaults.threads),
        chunk_size=reader.section(APPLICATION, "metric_streamer").get(
            "chunk_size", positive_count, defaults.chunk_size
        ),
    )


def _likelihood(reader: OptionReader) -> Likelihood:
    section, defaults = reader.section(APPLICATION, "anomaly_likelihood"), Likelihood()
    return Likelihood(
        min_sample_size=section.get("statistics_min_sample_size", positive_count, defaults.min_sample_size),
        refresh_rate=section.get("statistics_refresh_rate", positive_count, defaults.refresh_rate),
        sample_size=section.get("statistics_sample_size", positive_count, defaults.sample_size),
    )


def _broker(reader: OptionReader) -> Broker:
    """Read `rabbitmq.conf`: the application's, or that of `nta.utils`, which all applications of a machine share."""
    file, defaults = "rabbitmq.conf", Broker()
    if not (reader.directory / file).exists():
        reader = OptionReader(SHARED_CONF, reader.faults)
    connection, credentials, tls = (
        reader.section(file, name) for name in ("connection", "credentials", "tls")
    )
    encrypted = tls.get("enabled", boolean, defaults.tls)
    tls_file = readable_file if encrypted else absolute_path
    broker = Broker(
        host=connection.get("host", str, defaults.host),
        port=connection.get("port", port, defaults.port),
        virtual_host=connection.get("virtual_host", str, defaults.virtual_host),
        user=credentials.get("user", str, defaults.user),
        password=credentials.get("password", str, defaults.password),
        tls=encrypted,
        ca_file=tls.get("ca_file", tls_file, None),
        certificate=tls.get("certificate", tls_file, None),
        key=tls.get("key", tls_file, None),
        management_port=reader.section(file, "management").get("port", port, defaults.management_port),
        timeout_s=connection.get("timeout", positive_number, defaults.timeout_s),
    )
    reader.refuse_others(file, "tls")
    return broker


def _shards(text: str) -> int:
    number = whole_number(text)
    if not 1 <= number <= MAX_SHARDS:
        raise ValueError(f"is not a number of shards, 1 to {MAX_SHARDS}")
    return number
