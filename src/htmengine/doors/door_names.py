"""Names of the doors, as refusals are reported and counted."""

from __future__ import annotations

from typing import Final

GRAPHITE_TEXT: Final = "graphite-text"
GRAPHITE_UDP: Final = "graphite-udp"
GRAPHITE_PICKLE: Final = "graphite-pickle"
STATSD: Final = "statsd"
JSON: Final = "json"
REMOTE_WRITE: Final = "remote_write"
OTLP: Final = "otlp"
INFLUX: Final = "influx"
OPENTSDB: Final = "opentsdb"
VICTORIAMETRICS: Final = "victoriametrics"

TITLES: Final = {
    GRAPHITE_TEXT: "Graphite text",
    GRAPHITE_UDP: "Graphite text over UDP",
    GRAPHITE_PICKLE: "Graphite pickle",
    STATSD: "StatsD",
    JSON: "JSON",
    REMOTE_WRITE: "Prometheus remote write",
    OTLP: "OTLP",
    INFLUX: "InfluxDB line protocol",
    OPENTSDB: "OpenTSDB",
    VICTORIAMETRICS: "VictoriaMetrics lines",
}
"""Of every door, by its name."""
OVER_HTTP: Final = (JSON, REMOTE_WRITE, OTLP, INFLUX, OPENTSDB, VICTORIAMETRICS)


def reported(reason: str, door: str | None) -> str:
    """Return a reason as services count it: with the door's name before it, where the door is known."""
    return f"{door}: {reason}" if door in TITLES else reason


def divided(reported: str) -> tuple[str | None, str]:
    """Return the door and the reason of what `reported` gave."""
    door, colon, reason = reported.partition(": ")
    return (door, reason) if colon and door in TITLES else (None, reported)
