"""A web server over an installation, its clock, and metrics whose scores are as the tests say."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import msgspec
from starlette.testclient import TestClient

from htmengine import config
from htmengine.bus import Fanout
from htmengine.htm.params.presets import parameter_set
from htmengine.messages import BatchRow, ResultsBatch, Why, encode_json
from htmengine.model_swapper import definition
from htmengine.repository import alarms, identity, metrics, samples, scores, silences
from htmengine.repository.alarms import NewAlarm
from htmengine.repository.silences import Silence
from htmengine.repository.status import MetricStatus
from htmengine.service.context import Context
from htmengine.web.access import Access
from htmengine.web.app import create_app
from htmengine.web.site import Site
from htmengine.web.static import Page

NOW = 1_790_000_000.0
MODEL_PARAMS = definition.render(parameter_set("default"))
ALARMING = Why(
    cause="error",
    channel="deviation",
    forecast=5.0,
    usual=(4.0, 6.0),
    foreseen=[(4.5, 5.5)],
    alarms_before=1,
    last_alarm=NOW - 9000,
)


@cache
def page_of_the_package() -> Page:
    """Return the page, whose files are read once for all tests."""
    return Page()


class WebServer:
    """A server over an installation; `client` speaks to it from this machine."""

    def __init__(self, context: Context, page: Page | None = None, **http: Any) -> None:
        http = {"requests_per_s": 1e6} | http
        self.context = msgspec_replace(context, http)
        self.now = NOW
        self.site = Site(
            self.context,
            Access(self.context.settings.http, context.database, clock=lambda: self.now),
            page or page_of_the_package(),
            clock=lambda: self.now,
        )
        self.app = create_app(self.context, site=self.site)
        self.client = self.client_at("http://localhost:2080", "127.0.0.1")

    def client_at(self, address: str, peer: str) -> TestClient:
        """Return a client that asks for an address, from an address of its own."""
        return TestClient(self.app, base_url=address, client=(peer, 50000), raise_server_exceptions=False)

    def get(self, path: str, status: int = 200, **parameters: Any) -> Any:
        """Return the answer to a request to the API."""
        answer = self.client.get(f"/api/v1{path}", params=parameters)
        assert answer.status_code == status, answer.text
        return answer.json()

    def silence(self, uid: str, since: int, *, interval_s: float = 60.0) -> None:
        """Let a metric be found silent."""
        with self.context.database.write() as conn:
            before = silences.lock_position(conn)
            seq = before.seq + 1
            silences.add(conn, [Silence(seq, seq, uid, 1, since, 5.0, interval_s, since + 360)])
            silences.move_position(conn, before._replace(silence_id=seq, seq=seq))

    def metric(
        self,
        name: str,
        values: list[float],
        *,
        log_scores: list[float] | None = None,
        last: float = NOW - 30,
        interval: int = 60,
        monitored: bool = True,
    ) -> str:
        """Store a metric whose newest row has the time `last`; those with a log score of 0.5 or more alarm."""
        count = len(values)
        log_scores = log_scores or [0.1] * count
        times = [int(last) - interval * (count - 1 - i) for i in range(count)]
        with self.context.database.write() as conn:
            uid = metrics.create_custom(conn, [name])[name]
            if monitored:
                metrics.start_model(
                    conn,
                    uid,
                    parameters=json.dumps({"datasource": "custom", "metricSpec": {"metric": name}}),
                    model_params=MODEL_PARAMS,
                    status=MetricStatus.ACTIVE,
                )
            digests = list(identity.extended(identity.start(0, None), times, values))
            samples.append(conn, [uid] * count, range(1, count + 1), times, values, digests)
            if count:
                samples.advance_last(conn, [samples.Advance(uid, 0, count, times[-1], digests[-1])])
        if monitored and count:
            self.score(uid, times, values, log_scores)
        self.site.feed.list_metrics()
        return uid

    def score(self, uid: str, times: list[int], values: list[float], log_scores: list[float]) -> None:
        """Store scores of all rows of a metric."""
        count = len(values)
        with self.context.database.write() as conn:
            scores.store(
                conn,
                uids=[uid] * count,
                rowids=range(1, count + 1),
                raw_anomaly_scores=[0.1] * count,
                anomaly_scores=[0.5] * count,
                log_scores=log_scores,
                sequence_scores=log_scores,
                novelty_scores=log_scores,
                forecasts=[5.0] * count,
                usual_lows=[4.0] * count,
                usual_highs=[6.0] * count,
            )
            scores.advance_watermarks(conn, [scores.WatermarkAdvance(uid, 0, 0, count)])
            why = msgspec.json.encode(ALARMING).decode()
            alarms.store(
                conn,
                [
                    NewAlarm(
                        uid,
                        i + 1,
                        times[i],
                        values[i],
                        log_scores[i],
                        1e5,
                        "error",
                        "deviation",
                        "up",
                        5,
                        4,
                        6,
                        why,
                    )
                    for i in range(count)
                    if log_scores[i] >= 0.5
                ],
            )

    def batch(self, *rows: tuple[str, str, int, float, float, float]) -> list[BatchRow]:
        """Return published rows: uid, name, rowid, time, value and log score of each."""
        return [
            BatchRow(
                uid=uid,
                name=name,
                rowid=rowid,
                ts=int(time),
                value=value,
                raw_anomaly=0.1,
                anomaly=0.5,
                log_score=log_score,
                sequence_score=log_score,
                novelty_score=log_score,
                forecast=5.0,
                usual=(4.0, 6.0),
                one_in=1e5 if log_score >= 0.5 else 12.0,
                why=ALARMING if log_score >= 0.5 else msgspec.UNSET,
            )
            for uid, name, rowid, time, value, log_score in rows
        ]

    def take(self, rows: list[BatchRow]) -> None:
        """Give published rows to the server at once."""
        self.site.feed.take(rows)

    def publish(self, *rows: tuple[str, str, int, float, float, float]) -> None:
        """Publish rows as the anomaly service does."""
        exchange = self.context.settings.batches_exchange
        self.context.bus.publish([Fanout(exchange, encode_json(ResultsBatch(rows=self.batch(*rows))))])


def msgspec_replace(context: Context, http: dict[str, Any]) -> Context:
    """Return a context with other settings of the web server."""
    settings = context.settings
    changed = msgspec.structs.replace(settings, http=msgspec.structs.replace(config.Http(), **http))
    return replace(context, settings=changed)
