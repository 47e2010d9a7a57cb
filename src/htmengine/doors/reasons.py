"""Why a sample is not used: the one vocabulary of all doors, of the metric listener and of the metric storer."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from htmengine.doors import door_names

MAX_NAME: Final = 255
"""Characters of a metric's name, its tags included."""


class Reason(StrEnum):
    """A reason, as a person reads it."""

    # -- The bytes
    LONG_LINE = "the line is too long"
    NOT_UTF8 = "the line is not UTF-8"
    UNFINISHED = "the connection ended within the line"
    LONG_FRAME = "the frame is longer than the limit"
    NOT_POINTS = "not a list of points"
    NOT_A_POINT = "not a point: (name, (timestamp, value))"
    NOT_DECODABLE = "the body cannot be decoded"
    NOT_JSON = "not JSON"
    SHAPE = "JSON of another shape than this door takes"
    TOO_LARGE = "the body is larger than the limit"
    TOO_MANY = "more samples than one request may have"

    # -- What a record says
    FIELDS = "not three fields: name, value, timestamp"
    SYNTAX = "not a line of this protocol"
    NO_NAME = "no metric name"
    LONG_NAME = f"the name is longer than {MAX_NAME} characters"
    NAME_CHARACTERS = "the name has control characters or others that cannot be seen"
    BAD_TAG = "a tag is not key=value"
    VALUE = "the value is not a number"
    NOT_FINITE = "the value is not finite"
    TIMESTAMP = "the timestamp is not a number of seconds"
    TIMESTAMP_RANGE = (
        "the timestamp lies before the year 1000 or after 9999; it is in seconds, not milliseconds"
    )
    PRECISION = "the timestamp is not of our time: do the timestamps match precision=…?"
    UNEQUAL_COLUMNS = "times and values are not equally many"
    BUCKETS = "a histogram does not have one bucket more than bounds"
    NO_START = "a delta without a start time"
    STATSD_TYPE = "not a StatsD type"
    SAMPLE_RATE = "the sample rate is not above 0, up to 1"
    QUEUE_FULL = "the queue took no more"
    MANY_NAMES = "more names than are gathered at a time"

    FASTER = "faster than one sample a second"

    # -- What only the metric storer knows
    FUTURE = "the timestamp lies too far in the future"
    DUPLICATE = "the metric has a value for this second already"
    OLDER = "the metric has a later sample already"
    MANY_NEW = "more new metrics a minute than new_series_per_minute"
    MANY_METRICS = "more metrics than max_series"
    LATE = "later than the delay of its rule: what is of its time was stored"

    # -- Another protocol than the port's
    PICKLE_HERE = "Graphite's pickle protocol on the text port"
    HTTP_HERE = "HTTP on the text port"
    TLS_HERE = "TLS on a port without TLS"
    NO_TLS_HERE = "no TLS on a port with TLS"
    NO_CERTIFICATE = "the sender showed no certificate"
    BAD_CERTIFICATE = "the sender's certificate is not trusted"
    HANDSHAKE = "the TLS handshake failed"
    LINES_HERE = "text on the port for pickles"
    GZIP_HERE = "gzip on the text port"
    INFLUX_HERE = "InfluxDB's line protocol on the text port"
    OPENTSDB_HERE = "OpenTSDB's put on the text port"
    STATSD_HERE = "StatsD on the text port"
    SYSLOG_HERE = "syslog on the text port"
    JSON_HERE = "JSON on the text port"

    # -- Left out on purpose: no mistake of the sender
    DROPPED = "a rule of monitor-rules.conf drops it"
    FIRST_OF_COUNTER = "first value of a counter"
    NOTHING_COUNTED = "nothing was counted since the last value"
    BUCKET = "histogram bucket"
    NATIVE_HISTOGRAM = "native histogram"
    TEXT_FIELD = "text field"
    NO_VALUE = "no recorded value"
    EVENT = "event or service check, not a sample"

    @property
    def by_policy(self) -> bool:
        """Whether the sender did nothing wrong: such samples are counted, and no error is answered."""
        return self in _BY_POLICY

    @property
    def remedy(self) -> str | None:
        """What to do about it, where the reason alone does not say it."""
        return _REMEDIES.get(self)


def known(reported: str) -> Reason | None:
    """Return the reason that a service reports, a door's name before it or not; None for one of another version."""
    try:
        return Reason(door_names.divided(reported)[1])
    except ValueError:
        return None


def remedy_of(reported: str) -> str | None:
    """Return what to do about a reason that a service reports; None where it says so itself."""
    reason = known(reported)
    return reason.remedy if reason else None


_BY_POLICY: Final = frozenset(
    {
        Reason.DROPPED,
        Reason.FIRST_OF_COUNTER,
        Reason.NOTHING_COUNTED,
        Reason.BUCKET,
        Reason.NATIVE_HISTOGRAM,
        Reason.TEXT_FIELD,
        Reason.NO_VALUE,
        Reason.EVENT,
    }
)
_REMEDIES: Final = {
    Reason.FASTER: "a metric has one row a second, the first sample that comes: let the sender gather the others, by the mean or the sum, or send one a second",
    Reason.MANY_NEW: "their samples are stored when a later minute has room; raise new_series_per_minute in [limits] of application.conf for a fleet that grows. Where one sender's names change all the time, let a rule of monitor-rules.conf leave the tag out that does",
    Reason.MANY_METRICS: "raise max_series in [limits] of application.conf if this machine can carry more: `htmengine capacity`. Where names change all the time, let a rule of monitor-rules.conf leave the part out that does, and delete what is over: `htmengine delete 'web.old-*'`",
    Reason.PICKLE_HERE: "let the relay send lines: carbon with DESTINATION_PROTOCOL = line, carbon-relay-ng with pickle = false; or set pickle_port in [metric_listener] and send there",
    Reason.HTTP_HERE: "this port takes lines `name value timestamp`; requests go to the port of the web server, [http] port",
    Reason.TLS_HERE: "set tls_certificate and tls_key in [metric_listener], or let the sender connect without TLS",
    Reason.NO_TLS_HERE: "let the sender connect with TLS: carbon-c-relay with `transport plain ssl`; or set no tls_certificate in [metric_listener]",
    Reason.NO_CERTIFICATE: "give the sender a certificate that one of tls_client_ca_file in [metric_listener] issued, or set no tls_client_ca_file",
    Reason.BAD_CERTIFICATE: "give the sender a certificate that one of tls_client_ca_file in [metric_listener] issued, and that has not expired",
    Reason.HANDSHAKE: "where the sender does not trust the certificate of [metric_listener], let it trust its issuer, and connect by a name that the certificate has",
    Reason.LINES_HERE: "lines go to plaintext_port in [metric_listener], HTTP to [http] port; or let the relay send pickles: carbon with DESTINATION_PROTOCOL = pickle",
    Reason.GZIP_HERE: "turn the sender's compression off: carbon-c-relay without `transport gzip`",
    Reason.INFLUX_HERE: "InfluxDB's lines go over HTTP, to /write on the port of the web server, [http] port",
    Reason.OPENTSDB_HERE: "send to /api/put on the port of the web server, [http] port; or lines `name value timestamp`, without put",
    Reason.STATSD_HERE: "let a StatsD server gather these and send its Graphite output here",
    Reason.SYSLOG_HERE: "logs are no samples: check the address of the log's destination",
    Reason.JSON_HERE: "JSON goes over HTTP, to /api/v1/samples on the port of the web server, [http] port",
}


class BadSample(ValueError):
    """A record, or a part of one, is no sample: a value of a line, say, or a name."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(str(reason))
        self.reason = reason
