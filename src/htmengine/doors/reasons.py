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
        """What to do about it; None where the sender did nothing wrong."""
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
    Reason.LONG_LINE: "end each sample by a line feed; a longer line needs a higher max_line_bytes in [engine] of application.conf",
    Reason.NOT_UTF8: "let the sender write names in UTF-8",
    Reason.UNFINISHED: "let the sender end its last line by a line feed before it closes the connection",
    Reason.LONG_FRAME: "let the sender put fewer points into a frame: carbon with a lower MAX_DATAPOINTS_PER_MESSAGE",
    Reason.NOT_POINTS: "a frame is a list of points, as carbon's relays pickle it: [(name, (timestamp, value)), …]",
    Reason.NOT_A_POINT: "a point is (name, (timestamp, value)), as carbon's relays pickle it",
    Reason.NOT_DECODABLE: "check that the address is that of the sender's protocol, and that Content-Encoding says how the body is compressed",
    Reason.NOT_JSON: "a body is one JSON document, or one for each line with Content-Type: application/x-ndjson",
    Reason.SHAPE: 'send {"name": "web.requests", "value": 42, "time": 1700000000}, or a list of such, to /api/v1/samples',
    Reason.TOO_LARGE: "let the sender send smaller batches, or raise body and inflated in [limits] of application.conf",
    Reason.TOO_MANY: "let the sender send smaller batches, or raise samples in [limits] of application.conf",
    Reason.FIELDS: "write `name value timestamp`, with blanks between these three alone: replace blanks in names and tags by _",
    Reason.SYNTAX: "compare the line with the protocol's: a comma, a quote or a blank without a backslash is what is wrong most often",
    Reason.NO_NAME: "let the sender give each sample a name",
    Reason.LONG_NAME: "let the sender shorten it, or leave tags out",
    Reason.NAME_CHARACTERS: "let the sender replace them, such as by _",
    Reason.BAD_TAG: "write tags as `name;key=value;key=value`, none of them empty",
    Reason.VALUE: "send a number, such as 0.42, without a unit and with a point, not a comma",
    Reason.NOT_FINITE: "leave samples out that are NaN or infinite: a gap says the same",
    Reason.TIMESTAMP: "send seconds since 1970, such as 1700000000",
    Reason.TIMESTAMP_RANGE: "divide milliseconds by a thousand",
    Reason.PRECISION: "let the sender name the unit of its timestamps by precision=, such as precision=s",
    Reason.UNEQUAL_COLUMNS: "send one timestamp for each value",
    Reason.BUCKETS: "check the sender's library: such a histogram says nothing",
    Reason.NO_START: "let the sender set the start time of its deltas, or send cumulative sums",
    Reason.STATSD_TYPE: "send c, g, ms, h, d or s as a type",
    Reason.SAMPLE_RATE: "write the sample rate as @0.1",
    Reason.QUEUE_FULL: "see which stage is behind: samples come faster than they are stored",
    Reason.MANY_NAMES: "let the sender count by fewer names, such as without an id in each",
    Reason.FUTURE: "set the clock of the sender by NTP; where the time is right, raise max_future in [engine] of application.conf",
    Reason.DUPLICATE: "a metric has one row a second: let senders of the same name use names of their own. After a resend nothing needs to be done",
    Reason.OLDER: "rows go forward in time: send a metric from one place, the oldest sample first. History goes in by `htmengine backfill`, before live samples",
    Reason.LATE: "raise the delay of the rule in monitor-rules.conf, or let the sender send sooner",
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
