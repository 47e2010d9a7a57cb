#!/usr/bin/env python
"""A small web application: a page that draws a metric with its scores, and three verbs for programs.

PUT  /NAME  {"min": 0, "max": 100}     monitor a metric; {} where its range is not known
POST /NAME  lines "value timestamp"    store samples
GET  /NAME  lines "name value timestamp score"; with ?since=TIMESTAMP only what is newer
"""

import calendar
import json
import os
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from htmengine import repository
from htmengine.adapters.datasource import createDatasourceAdapter
from htmengine.exceptions import MetricAlreadyMonitored, ObjectNotFoundError
from htmengine.htm import params
from htmengine.repository import schema
from htmengine.runtime.metric_listener import parsePlaintext
from nta.utils.config import Config
from nta.utils.message_bus_connector import MessageBusConnector

LARGEST_BODY = 1 << 20
CONFIG = Config("application.conf", os.environ["APPLICATION_CONFIG_PATH"])
MODEL = params.parameter_set("default")
PAGE = (
    Path(__file__)
    .with_name("page.html")
    .read_text()
    .replace("@SCORES_FROM@", str(MODEL.jump_likelihood.probation))
    .replace("@ALL_FROM@", str(MODEL.sequence_likelihood.probation))
).encode()
UPLOT = resources.files("htmengine.web") / "page" / "vendor" / "uplot"
FILES = {
    "/": ("text/html", PAGE),
    "/uplot.js": ("text/javascript", (UPLOT / "uPlot.iife.min.js").read_bytes()),
    "/uplot.css": ("text/css", (UPLOT / "uPlot.min.css").read_bytes()),
}


class Refused(Exception):
    """A request that cannot be carried out; the client is told why."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path in FILES:
            kind, content = FILES[url.path]
            self.answer(HTTPStatus.OK, content, kind)
        else:
            since = parse_qs(url.query).get("since", ["0"])[0]
            self.carry_out(lambda: (HTTPStatus.OK, rows(self.metric(), int(since))))

    def do_PUT(self) -> None:
        self.carry_out(lambda: (HTTPStatus.CREATED, monitor(self.metric(), self.body())))

    def do_POST(self) -> None:
        self.carry_out(lambda: (HTTPStatus.OK, save(self.metric(), self.body())))

    def metric(self) -> str:
        return urlsplit(self.path).path[1:]

    def body(self) -> str:
        length = int(self.headers.get("Content-Length", 0))
        if not 0 <= length <= LARGEST_BODY:
            self.close_connection = True
            raise Refused(f"a body has {LARGEST_BODY} bytes at most")
        return self.rfile.read(length).decode()

    def carry_out(self, action) -> None:
        try:
            status, text = action()
        except ObjectNotFoundError as error:
            status, text = HTTPStatus.NOT_FOUND, f"{error}\n"
        except (Refused, ValueError, OverflowError, RecursionError) as error:
            status, text = HTTPStatus.BAD_REQUEST, f"{error}\n"
        self.answer(status, text.encode(), "text/plain")

    def answer(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments) -> None:
        """Say nothing of each request."""


def monitor(metric: str, body: str) -> str:
    """Give a metric a model; nothing happens where it has one."""
    params = json.loads(body or "{}")
    if not isinstance(params, dict):
        raise Refused('the body is an object such as {"min": 0, "max": 100}')
    spec = {"datasource": "custom", "metricSpec": {"metric": metric}, "modelParams": params}
    try:
        return createDatasourceAdapter("custom").monitorMetric(spec) + "\n"
    except MetricAlreadyMonitored as error:
        return error.uid + "\n"


def save(metric: str, body: str) -> str:
    """Put samples on the queue that the listener uses, if all of them can be read."""
    lines = [f"{metric} {line}" for line in body.splitlines() if line.strip()]
    for line in lines:
        parsePlaintext(line)
    with MessageBusConnector() as bus:
        message = json.dumps({"protocol": "plain", "data": lines})
        bus.publish(CONFIG.get("metric_listener", "queue_name"), message, persistent=True)
    return "".join(f"Saved {line}\n" for line in lines)


def rows(metric: str, since: int) -> str:
    """Return the stored samples of a metric that are newer than a time."""
    data = schema.metric_data.c
    with repository.engineFactory(CONFIG).connect() as conn:
        found = repository.getCustomMetricByName(conn, metric, fields=[schema.metric.c.uid])
        result = repository.getMetricData(
            conn,
            metricId=found.uid,
            fields=(data.metric_value, data.timestamp, data.anomaly_score),
            fromTimestamp=datetime.fromtimestamp(since + 1, UTC).replace(tzinfo=None),
            sort=data.timestamp.asc(),
        )
    return "".join(
        f"{metric} {row.metric_value} {calendar.timegm(row.timestamp.timetuple())} {row.anomaly_score}\n"
        for row in result
    )


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", CONFIG.getint("web", "port")), Handler).serve_forever()
