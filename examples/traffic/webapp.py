#!/usr/bin/env python
"""The city's page: a map of its routes as their results come, what is unusual, and each route's past.

GET /                    the page
GET /city                the routes: name, label, line on the map, speed without traffic
GET /state?since=N       what has changed since version N: newest speed and scores of routes, and the alarms
GET /route/NAME          the last days of a route: times, speeds, log scores
"""

import os
import threading
from collections import deque
from datetime import timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import city
import msgspec

from htmengine import config, repository
from htmengine.bus.opening import open_bus
from htmengine.exceptions import ObjectNotFoundError
from htmengine.htm import params
from htmengine.messages import BatchRow, decode_results_batch
from htmengine.repository import schema
from nta.utils.config import Config
from nta.utils.date_time_utils import epochFromNaiveUTCDatetime

QUEUE = "traffic.page"
UNREAD = 10_000
ANOMALY = 0.5  # log score from which a sample is an alarm
SHOWN_DAYS = 3
CONFIG = Config("application.conf", os.environ["APPLICATION_CONFIG_PATH"])
UPLOT = resources.files("htmengine.web") / "page" / "vendor" / "uplot"
FILES = {
    "/": (
        "text/html",
        Path(__file__)
        .with_name("page.html")
        .read_text()
        .replace("@SCORES_FROM@", str(params.parameter_set("default").jump_likelihood.probation))
        .encode(),
    ),
    "/uplot.js": ("text/javascript", (UPLOT / "uPlot.iife.min.js").read_bytes()),
    "/uplot.css": ("text/css", (UPLOT / "uPlot.min.css").read_bytes()),
}
CITY = [
    {
        "metric": route.metric,
        "label": route.label,
        "line": [*route.begin, *route.end],
        "freeFlow": route.free_flow,
    }
    for route in city.routes()
]


class City:
    """What is known of each route now. For several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._version = 0
        self._routes: dict[str, tuple[int, dict]] = {}
        self._alarms: deque[dict] = deque(maxlen=100)
        self._scored = 0

    def update(self, rows: list[BatchRow]) -> None:
        """Take new results; a row that came before is taken again without harm."""
        with self._lock:
            self._version += 1
            for row in rows:
                _, known = self._routes.get(row.name, (0, {"ts": -1}))
                if row.ts <= known["ts"]:
                    continue
                state = {
                    "metric": row.name,
                    "ts": row.ts,
                    "samples": row.rowid,
                    "speed": row.value,
                    "logScore": row.log_score,
                }
                self._routes[row.name] = self._version, state
                self._scored += 1
                if row.log_score >= ANOMALY:
                    self._alarms.appendleft(state)

    def since(self, version: int) -> dict:
        """Return what has changed since a version, all of it for 0."""
        with self._lock:
            return {
                "version": self._version,
                "scored": self._scored,
                "routes": [state for changed, state in self._routes.values() if changed > version],
                "alarms": sorted(self._alarms, key=lambda alarm: alarm["ts"], reverse=True),
            }


def follow(state: City) -> None:
    """Get results as they come, many routes in one message, and begin with what comes from now on."""
    settings = config.load(config.required_config_dir())
    bus = open_bus(settings)
    bus.declare_exchange(settings.batches_exchange)
    bus.declare_queue(QUEUE, limit=UNREAD, expendable=True)
    bus.bind(QUEUE, settings.batches_exchange)
    with bus.consume([QUEUE]) as consumer:
        while True:
            messages = consumer.receive(max_messages=50, timeout_s=1.0)
            for message in messages:
                state.update(decode_results_batch(message.body).rows)
            if messages:
                consumer.ack(messages)


def past(metric: str) -> dict:
    """Return the last days of a route, in columns."""
    data = schema.metric_data.c
    with repository.engineFactory(CONFIG).connect() as conn:
        uid = repository.getCustomMetricByName(conn, metric, [schema.metric.c.uid]).uid
        newest = repository.getMetricData(
            conn, uid, [data.timestamp], sort=data.timestamp.desc(), limit=1
        ).first()
        begin = newest.timestamp - timedelta(days=SHOWN_DAYS) if newest else None
        columns = (data.timestamp, data.metric_value, data.log_score)
        rows = repository.getMetricData(
            conn, uid, columns, fromTimestamp=begin, sort=data.timestamp.asc()
        ).all()
    return {
        "times": [epochFromNaiveUTCDatetime(row.timestamp) for row in rows],
        "speeds": [row.metric_value for row in rows],
        "logScores": [row.log_score for row in rows],
    }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: City

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        try:
            if url.path in FILES:
                kind, content = FILES[url.path]
                self.answer(HTTPStatus.OK, content, kind)
            elif url.path == "/city":
                self.answer_json(CITY)
            elif url.path == "/state":
                self.answer_json(self.state.since(int(parse_qs(url.query).get("since", ["0"])[0])))
            elif url.path.startswith("/route/"):
                self.answer_json(past(url.path.removeprefix("/route/")))
            else:
                self.answer(HTTPStatus.NOT_FOUND, b"There is no such page.\n", "text/plain")
        except ObjectNotFoundError as error:
            self.answer(HTTPStatus.NOT_FOUND, f"{error}\n".encode(), "text/plain")
        except ValueError as error:
            self.answer(HTTPStatus.BAD_REQUEST, f"{error}\n".encode(), "text/plain")

    def answer_json(self, document: object) -> None:
        self.answer(HTTPStatus.OK, msgspec.json.encode(document), "application/json")

    def answer(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments) -> None:
        """Say nothing of each request."""


def main() -> None:
    Handler.state = City()
    server = ThreadingHTTPServer(("127.0.0.1", CONFIG.getint("web", "port")), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    follow(Handler.state)  # an error of it ends the program, and supervisord starts it again


if __name__ == "__main__":
    main()
