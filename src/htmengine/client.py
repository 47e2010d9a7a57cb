"""A client of the HTTP API: what the page can do, from Python.

    from htmengine.client import Client

    with Client("http://127.0.0.1:2080") as engine:
        for metric in engine.metrics(q="web.*"):
            print(metric.name, metric.log_score)

It needs no more than the engine itself does. Answers are the types of `htmengine.web.shapes` and of the modules beside it.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec
import numpy as np
from numpy.typing import NDArray

from htmengine.web.alert_shapes import (
    AlertRules,
    AlertsPreview,
    Delivery,
    DeliveryPage,
    TargetAnswer,
    TargetList,
    TargetTest,
    WindowPreview,
)
from htmengine.web.engine_shapes import (
    DeadLetter,
    DeadLetters,
    Discarded,
    Door,
    Doors,
    HealthAnswer,
    Refusal,
    Refusals,
    Requeued,
    Road,
)
from htmengine.web.label_shapes import (
    Label,
    LabelHow,
    LabelKind,
    LabelPage,
    LabelPreview,
    SilencedPage,
    SilencedRow,
    TaughtPast,
)
from htmengine.web.rule_shapes import MonitorRules, RulesPreview, RuleWay
from htmengine.web.shapes import (
    Alarm,
    AlarmPage,
    Changed,
    Document,
    Event,
    Events,
    Explanation,
    FleetStrip,
    Incident,
    IncidentPage,
    JobAnswer,
    JobList,
    MetricDetail,
    MetricPage,
    MetricRow,
    Monitored,
    Overview,
    RankedMetric,
    RankedMetrics,
    ResultsAnswer,
    Session,
    Sparks,
    TokenAnswer,
    TokenList,
    TreeAnswer,
    Verdict,
)

T = TypeVar("T")

API: Final = "/api/v1"
PAGE: Final = 1000
POLL_S: Final = 0.2
RECONNECT_S: Final = 2.0
NDJSON: Final = "application/x-ndjson"
SAMPLES_BATCH_SIZE: Final = 10_000


class ApiError(Exception):
    """The server refused a request; the message says what to do next."""

    def __init__(self, status: int, title: str, detail: str, errors: list[dict[str, Any]]) -> None:
        super().__init__(f"{title}. {detail}" if detail else title)
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = errors


class Sample(NamedTuple):
    """A sample to send."""

    name: str
    time: float | None
    """Seconds since the epoch; None for now."""
    value: float


class Accepted(NamedTuple):
    """What became of samples."""

    accepted: int
    refused: int
    errors: list[dict[str, Any]]


class Result(NamedTuple):
    """A scored sample."""

    uid: str
    rowid: int
    time: float
    value: float
    log_score: float
    cause: str | None
    direction: str | None
    one_in: float | None


class Missed(NamedTuple):
    """Results were missed: read the metrics again, and rows by `Client.rows`."""

    reason: str


class Client:
    """One connection to a server; for one thread.

    Parameters
    ----------
    url : where the server is, with the path that a proxy may have put before it.
    token : of `htmengine tokens create`; not needed on the server's own machine.
    timeout_s : a server that does not answer for so long is unavailable.
    context : what certificates are checked against; None for those that the system trusts.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:2080",
        token: str | None = None,
        *,
        timeout_s: float = 30.0,
        context: ssl.SSLContext | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not an address such as http://127.0.0.1:2080")
        self._parts = parts
        self._root = parts.path.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._timeout_s = timeout_s
        self._context = context
        self._connection: http.client.HTTPConnection | None = None

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self._connection:
            self._connection.close()
            self._connection = None

    # -- Reading

    def session(self) -> Session:
        """Return who the server takes this client for, and where it is."""
        return self._get("/session", Session)

    def overview(self) -> Overview:
        """Return whether anything is wrong now."""
        return self._get("/overview", Overview)

    def metrics(self, q: str = "", *, sort: str = "oddness", **parameters: Any) -> Iterator[MetricRow]:
        """Yield the metrics that a search finds, in an order: those at the top first."""
        yield from self._pages("/metrics", MetricPage, {"q": q, "sort": sort, **parameters})

    def groups(self, prefix: str = "", *, q: str = "", tag: str | None = None) -> TreeAnswer:
        """Return the groups below a prefix of names, or those of a tag, with how many metrics each has and the worst."""
        return self._get("/metrics/tree", TreeAnswer, {"prefix": prefix, "q": q, "tag": tag})

    def fleet(
        self, since: float | None = None, until: float | None = None, *, step: int | None = None
    ) -> FleetStrip:
        """Return how many metrics alarmed in each step of a time; of the last day without times."""
        return self._get("/fleet", FleetStrip, {"from": since, "to": until, "step": step})

    def sparks(self, uids: Iterable[str], since: float | None = None, until: float | None = None) -> Sparks:
        """Return small pictures of metrics: values and highest scores in sixty cells each."""
        return self._get("/metrics/sparks", Sparks, {"uid": list(uids), "from": since, "to": until})

    def find(self, name: str) -> MetricRow | None:
        """Return the metric of a name; None if there is none."""
        return next(iter(self._get("/metrics", MetricPage, {"name": name}).items), None)

    def metric(self, uid: str) -> MetricDetail:
        """Return everything that is known of a metric."""
        return self._get(f"/metrics/{uid}", MetricDetail)

    def data(
        self,
        uid: str,
        since: float | None = None,
        until: float | None = None,
        *,
        points: int = 2000,
        series: str = "value,log_score,low,high",
        rescored: bool = False,
    ) -> dict[str, NDArray[np.float64]]:
        """Return a metric's rows of a time as columns, down-sampled where they are more than so many points.

        Parameters
        ----------
        since, until : seconds since the epoch; the last day without them.
        rescored : scores and usual bands as `taught_past` would have found them.

        Returns
        -------
        By name, arrays of shape (n,): `time`, `value`, `value_min`, `value_max` and what `series` names; NaN where there
        is nothing.
        """
        parameters = {"from": since, "to": until, "points": points, "series": series, "format": "bin"}
        if rescored:
            parameters["rescored"] = "true"
        response, body = self._ask("GET", f"/metrics/{uid}/data", parameters)
        names = (response.getheader("X-Columns") or "").split(",")
        columns = np.frombuffer(body, "<f8").reshape(len(names), -1)
        return dict(zip(names, columns.astype(np.float64), strict=True))

    def rows(self, uid: str, since_rowid: int = 0) -> Iterator[dict[str, float | None]]:
        """Yield every scored row behind a rowid, in order and without a gap; a metric without a model gives all its rows.

        Keep the last `rowid`, and give it the next time.
        """
        while True:
            parameters = {"since_rowid": since_rowid, "limit": PAGE, "scored": "true"}
            page = self._get(f"/metrics/{uid}/data", dict[str, Any], parameters)
            for row in page["rows"]:
                yield dict(zip(page["columns"], row, strict=True))
            if len(page["rows"]) < PAGE:
                return
            since_rowid = page["next_rowid"]

    def export_rows(self, uid: str, since_rowid: int = 0) -> str:
        """Return all rows behind a rowid as CSV, with their scores, forecasts and usual bands."""
        return self._ask("GET", f"/metrics/{uid}/rows", {"since_rowid": since_rowid})[1].decode()

    def alarms(self, uid: str, **parameters: Any) -> Iterator[Alarm]:
        """Yield the alarms of a metric, the newest first."""
        yield from self._pages(f"/metrics/{uid}/alarms", AlarmPage, parameters)

    def anomalies(
        self, since: float | None = None, until: float | None = None, **parameters: Any
    ) -> Iterator[Alarm]:
        """Yield the alarms of all metrics, the newest first; of the last day without times."""
        yield from self._pages("/anomalies", AlarmPage, {"from": since, "to": until, **parameters})

    def ranked(self, since: float, until: float, *, limit: int = 100) -> list[RankedMetric]:
        """Return the metrics that were the most unusual within a time."""
        parameters = {"from": since, "to": until, "rank": "window", "limit": limit}
        return self._get("/anomalies", RankedMetrics, parameters).items

    def explain(self, uid: str, rowid: int) -> Explanation:
        """Return why a row got its scores."""
        return self._get(f"/metrics/{uid}/explain/{rowid}", Explanation)

    def events(self, from_: float | None = None, to: float | None = None, *, limit: int = 100) -> list[Event]:
        """Return events of a span of time, such as deployments, the newest first; without a span those of the last day."""
        return self._get("/events", Events, {"from": from_, "to": to, "limit": limit}).items

    def incidents(self, state: str = "all", **parameters: Any) -> Iterator[Incident]:
        """Yield incidents: the open ones first, then by their latest change."""
        yield from self._pages("/incidents", IncidentPage, {"state": state, **parameters})

    def incident(self, incident: str) -> Incident:
        """Return an incident with all its metrics."""
        return self._get(f"/incidents/{quote(incident, safe='')}", Incident)

    def deliveries(self, **parameters: Any) -> Iterator[Delivery]:
        """Yield notices to targets, the newest first; `state`, `target` and `incident` say which."""
        yield from self._pages("/deliveries", DeliveryPage, parameters)

    def targets(self) -> list[TargetAnswer]:
        """Return who is told of incidents."""
        return self._get("/targets", TargetList).items

    def preview_rules(self, **body: Any) -> AlertsPreview:
        """Return what rules would have told: those of a `text` of alerts.toml, or those in use; of so many `days`."""
        return self._post("/rules/preview", body, AlertsPreview)

    def preview_window(self, **window: Any) -> WindowPreview:
        """Return when a window of time is: by `cron` and `duration`, `ical`, or `from` and `to`; and its `timezone`."""
        return self._post("/windows/preview", window, WindowPreview)

    def alert_rules(self) -> AlertRules:
        """Return alerts.toml: its text, its rules, targets and windows, and what is wrong with it."""
        return self._get("/rules", AlertRules)

    def monitor_rules(self) -> MonitorRules:
        """Return monitor-rules.conf: its text, its rules, and how many metrics each decides about."""
        return self._get("/monitor-rules", MonitorRules)

    def preview_monitor_rules(self, **body: Any) -> RulesPreview:
        """Return which metrics other rules would give a model: those of a `text` of monitor-rules.conf, or `rules`."""
        return self._post("/monitor-rules/preview", body, RulesPreview)

    def rules_for(self, name: str, *, stored: bool = False) -> RuleWay:
        """Return which rules apply to a name that is sent, or with `stored` to that of a metric, and what comes of it."""
        return self._get("/monitor-rules/way", RuleWay, {"name": name, "stored": str(stored).lower()})

    def health(self) -> HealthAnswer:
        """Return the state of the engine, stage by stage."""
        return self._get("/health", HealthAnswer)

    def doctor(self) -> dict[str, Any]:
        """Return the document of `htmengine doctor --json`."""
        return self._get("/doctor", Document).document

    def refusals(self) -> list[Refusal]:
        """Return what was refused, and what to do about it."""
        return self._get("/refusals", Refusals).items

    def doors(self) -> list[Door]:
        """Return the ways in, and what comes by each."""
        return self._get("/doors", Doors).items

    def capacity(self) -> dict[str, Any]:
        """Return what `htmengine capacity` measured of this machine, and how much of it is used."""
        return self._get("/capacity", dict[str, Any])

    def follow_sample(self, metric: str, time: float) -> Road:
        """Return how far the sample of a metric at a time has come, stage by stage."""
        return self._get("/follow", Road, {"metric": metric, "time": time})

    def dead_letters(self) -> Iterator[DeadLetter]:
        """Yield messages that no service could use."""
        yield from self._pages("/dead", DeadLetters, {})

    def results_after(self, cursor: str | None = None, **parameters: Any) -> ResultsAnswer:
        """Wait for results that come after a cursor, and return them with the next one; without it only the cursor.

        For programs that ask now and then; `follow` yields the same as they come.
        """
        return self._get("/results", ResultsAnswer, {"after": cursor, **parameters})

    def follow(self, match: str = "", *, min_score: float = 0.0) -> Iterator[Result | Missed]:
        """Yield results as they come, for ever; after a broken connection it goes on exactly where it was.

        Where the server does not keep what came meanwhile, `Missed` is yielded.
        """
        cursor: str | None = None
        parameters = {"events": "results", "match": match, "min_score": min_score}
        while True:
            try:
                for event, identity, data in self._events(parameters, cursor):
                    cursor = identity or cursor
                    if event == "reset":
                        yield Missed(data["reason"])
                    elif event == "results":
                        yield from (Result(*row[: len(Result._fields)]) for row in data)
            except (OSError, http.client.HTTPException):
                time.sleep(RECONNECT_S)

    # -- Changing

    def send(self, samples: Iterable[Sample | tuple[str, float | None, float]]) -> Accepted:
        """Send samples; when it returns, those that were accepted survive a crash of the engine."""
        accepted = refused = 0
        errors: list[dict[str, Any]] = []
        some: list[str] = []

        def flush() -> None:
            nonlocal accepted, refused
            if some:
                body = "\n".join(some).encode()
                answer = json.loads(self._ask("POST", "/samples", body=body, media=NDJSON)[1])
                accepted += answer["accepted"]
                refused += answer["refused"]
                errors.extend(answer["errors"])
                some.clear()

        for name, at, value in samples:
            record = {"name": name, "value": value} | ({} if at is None else {"time": at})
            some.append(json.dumps(record, allow_nan=False))
            if len(some) == SAMPLES_BATCH_SIZE:
                flush()
        flush()
        return Accepted(accepted, refused, errors)

    def monitor(
        self,
        uid: str,
        *,
        minimum: float | None = None,
        maximum: float | None = None,
        model: str | None = None,
    ) -> MetricRow:
        """Give a metric a model."""
        body = {"minimum": minimum, "maximum": maximum, "model": model}
        return self._post(f"/metrics/{uid}/monitor", body, MetricRow)

    def unmonitor(self, uid: str) -> MetricRow:
        """Delete a metric's model."""
        return self._post(f"/metrics/{uid}/unmonitor", {}, MetricRow)

    def monitor_some(self, pattern: str) -> int:
        """Give a model to every metric whose name fits a pattern such as `web.*`, and return how many have got one."""
        return self._until_none_is_left("/metrics/monitor", pattern, Monitored, lambda one: one.monitored)

    def unmonitor_some(self, pattern: str) -> int:
        """Delete the models of all metrics whose names fit a pattern, and return how many those were."""
        return self._until_none_is_left("/metrics/unmonitor", pattern, Changed, lambda one: one.changed)

    def change_monitor_rules(self, change: Callable[[str], str]) -> MonitorRules:
        """Replace the text of monitor-rules.conf by what `change` makes of it.

        Raises ApiError with status 412 where somebody else changed it meanwhile, and 400 with every fault of the new text.
        """
        return self._change("/monitor-rules", MonitorRules, lambda found: {"text": change(found.text)})

    def change_alert_rules(self, change: Callable[[AlertRules], Mapping[str, Any]]) -> AlertRules:
        """Change alerts.toml by what `change` makes of it: `rules`, `targets`, `windows` and `maintenance`, or `text`.

        What is not named stays as it is. Raises ApiError as `change_monitor_rules` does.
        """
        return self._change("/rules", AlertRules, change)

    def acknowledge(self, incident: str, note: str = "") -> Incident:
        """Say that somebody looks after an incident: nobody is told any more what is new of it, but of its end."""
        return self._act(incident, "ack", {"note": note})

    def snooze(self, incident: str, for_s: float, note: str = "") -> Incident:
        """Tell nobody of an open incident for a while."""
        return self._act(incident, "snooze", {"for_s": for_s, "note": note})

    def resolve(self, incident: str, note: str = "") -> Incident:
        """Say that an incident is over."""
        return self._act(incident, "resolve", {"note": note})

    def comment(self, incident: str, note: str) -> Incident:
        """Add a comment to an incident."""
        return self._act(incident, "comment", {"note": note})

    def judge(self, incident: str, verdict: Verdict, note: str = "") -> Incident:
        """Say whether something was wrong: `true`, `false` or `not_mine`."""
        return self._act(incident, "verdict", {"verdict": verdict, "note": note})

    # -- Labels, and what models are taught

    def labels(self, **parameters: Any) -> Iterator[Label]:
        """Yield labels by the times at which they begin; parameters are those of GET /labels."""
        yield from self._pages("/labels", LabelPage, parameters)

    def add_label(
        self,
        since: float,
        until: float,
        kind: LabelKind,
        *,
        uid: str | None = None,
        match: str | None = None,
        note: str = "",
        expires: float | None = None,
    ) -> Label:
        """Say what was of a metric, or of those whose names fit a pattern, and return the label; it changes no score."""
        body = {
            "uid": uid,
            "match": match,
            "from": since,
            "to": until,
            "kind": kind,
            "note": note,
            "expires": expires,
        }
        return self._post("/labels", body, Label)

    def teach(
        self,
        uid: str,
        since: float,
        until: float,
        how: LabelHow,
        *,
        kind: LabelKind = "normal",
        note: str = "",
        expires: float | None = None,
    ) -> Label:
        """Teach a metric's model that a span is normal, or was an anomaly, from its next row on, and return the label.

        Parameters
        ----------
        since, until : the span, in seconds since the epoch, both included.
        how : values, times or forget; an anomaly is always forgotten.
        expires : it counts for samples from before this time; for 90 days if it is not given.
        """
        body = {
            "uid": uid,
            "from": since,
            "to": until,
            "how": how,
            "kind": kind,
            "note": note,
            "expires": expires,
        }
        return self._post("/labels", body, Label)

    def preview_teaching(
        self, uid: str, since: float, until: float, how: LabelHow, *, kind: LabelKind = "normal"
    ) -> LabelPreview:
        """Return what a teaching would have silenced and added from its span on; nothing is stored."""
        body = {"uid": uid, "from": since, "to": until, "how": how, "kind": kind}
        return self._post("/labels/preview", body, LabelPreview)

    def taught_past(self, uid: str) -> TaughtPast:
        """Return which alarms would not have been, had all that a model was taught counted from its span on."""
        return self._get(f"/metrics/{uid}/taught-past", TaughtPast)

    def silenced(
        self, uid: str, since: float | None = None, until: float | None = None
    ) -> Iterator[SilencedRow]:
        """Yield the rows that would have alarmed, had nobody taught that they are normal, the newest first."""
        yield from self._pages(f"/metrics/{uid}/silenced", SilencedPage, {"from": since, "to": until})

    def remove_label(self, label: str) -> None:
        """Remove a label; what it taught a model is undone from the metric's next row on."""
        self._ask("DELETE", f"/labels/{quote(label, safe='')}")

    def _act(self, incident: str, action: str, body: Mapping[str, Any]) -> Incident:
        return self._post(f"/incidents/{quote(incident, safe='')}/{action}", body, Incident)

    def send_again(self, delivery: Delivery | int) -> Delivery:
        """Send a notice to a target again, whatever became of it."""
        id_ = delivery if isinstance(delivery, int) else delivery.id
        return self._post(f"/deliveries/{id_}/send-again", {}, Delivery)

    def try_target(self, name: str) -> TargetTest:
        """Send a test message to a target."""
        return self._post(f"/targets/{quote(name, safe='')}/test", {}, TargetTest)

    def delete(self, uid: str) -> None:
        """Delete a metric with its samples, scores, alarms and model."""
        self._ask("DELETE", f"/metrics/{uid}")

    def delete_some(self, pattern: str) -> int:
        """Delete every metric whose name fits a pattern such as `web.*`, and return how many that were."""
        return self._until_none_is_left("/metrics/delete", pattern, Changed, lambda one: one.changed)

    def export_model(self, uid: str) -> dict[str, Any]:
        """Return what `import_model` takes: a model's specification, and its samples."""
        return self._post(f"/models/{uid}/export", {}, dict[str, Any])

    def import_model(self, exported: Mapping[str, Any]) -> MetricRow:
        """Create and monitor the metric of an export."""
        return self._post("/models/import", dict(exported), MetricRow)

    def backfill(self, metric: str, history: bytes | Path) -> JobAnswer:
        """Send a metric's history, a CSV file or its content; the answer tells the job that does it."""
        content = history.read_bytes() if isinstance(history, Path) else history
        _, body = self._ask("POST", f"/backfill/{quote(metric, safe='')}", body=content, media="text/csv")
        return msgspec.json.decode(body, type=JobAnswer)

    def detect(self, file: bytes | Path, **parameters: Any) -> JobAnswer:
        """Send a file, or its content, to be scored; the answer tells the job that does it.

        Parameters
        ----------
        parameters : of `POST /detect`, such as `value`, a column, or `threshold`.
        """
        content = file.read_bytes() if isinstance(file, Path) else file
        _, body = self._ask("POST", "/detect", parameters, body=content, media="application/octet-stream")
        return msgspec.json.decode(body, type=JobAnswer)

    def backtest(self, since: float, until: float | None = None, **wanted: Any) -> JobAnswer:
        """Try other models and rules on a time that has passed; the answer tells the job that does it.

        Parameters
        ----------
        wanted : of `POST /backtest`, such as `match`, `models` and `rules`.
        """
        return self._post("/backtest", {"since": since, "until": until, **wanted}, JobAnswer)

    def jobs(self) -> list[JobAnswer]:
        """Return the jobs that are known."""
        return self._get("/jobs", JobList).items

    def result(self, job: JobAnswer | str) -> dict[str, Any]:
        """Return the result of a job that is done."""
        return self._get(f"/jobs/{job if isinstance(job, str) else job.id}/result", Document).document

    def job(self, job: JobAnswer | str) -> JobAnswer:
        """Return how far a job is."""
        return self._get(f"/jobs/{job if isinstance(job, str) else job.id}", JobAnswer)

    def cancel(self, job: JobAnswer | str) -> JobAnswer:
        """Cancel a job."""
        _, body = self._ask("DELETE", f"/jobs/{job if isinstance(job, str) else job.id}")
        return msgspec.json.decode(body, type=JobAnswer)

    def wait(self, job: JobAnswer | str) -> JobAnswer:
        """Wait until a job is over and return it."""
        while (found := self.job(job)).state in ("queued", "running"):
            time.sleep(POLL_S)
        return found

    # -- The engine itself

    def requeue(self, ids: Iterable[str] | None = None) -> int:
        """Put dead letters back into the queues that they came from, all without `ids`, and return how many those were."""
        body = {"ids": None if ids is None else list(ids)}
        return self._post("/dead/requeue", body, Requeued).requeued

    def discard(self, ids: Iterable[str] | None = None) -> int:
        """Delete dead letters for good, all without `ids`, and return how many those were."""
        body = {"ids": None if ids is None else list(ids)}
        return self._post("/dead/discard", body, Discarded).discarded

    def tokens(self) -> list[TokenAnswer]:
        """Return who may use the server."""
        return self._get("/tokens", TokenList).items

    def create_token(self, name: str, scopes: Iterable[str]) -> TokenAnswer:
        """Make a token; its text is in the answer, and nowhere else."""
        return self._post("/tokens", {"name": name, "scopes": list(scopes)}, TokenAnswer)

    def revoke_token(self, id_: str) -> None:
        """Let a token count no longer."""
        self._ask("DELETE", f"/tokens/{quote(id_, safe='')}")

    # -- Requests

    def _until_none_is_left(self, path: str, pattern: str, kind: type[T], count: Callable[[T], int]) -> int:
        total = 0
        while True:
            answer: Any = self._post(path, {"pattern": pattern}, kind)
            done = count(answer)
            total += done
            if not answer.left or not done:
                return total

    def _change(self, path: str, kind: type[T], change: Callable[[T], Mapping[str, Any]]) -> T:
        """Replace what GET returns by what `change` makes of it, if nobody else has changed it meanwhile."""
        response, content = self._ask("GET", path)
        body = msgspec.json.encode(change(msgspec.json.decode(content, type=kind)))
        tag = response.headers["ETag"]
        _, answer = self._ask("PUT", path, body=body, media="application/json", if_match=tag)
        return msgspec.json.decode(answer, type=kind)

    def _get(self, path: str, kind: type[T], parameters: Mapping[str, Any] | None = None) -> T:
        return msgspec.json.decode(self._ask("GET", path, parameters)[1], type=kind)

    def _post(self, path: str, body: Any, kind: type[T]) -> T:
        answer = self._ask("POST", path, body=msgspec.json.encode(body), media="application/json")[1]
        return msgspec.json.decode(answer, type=kind)

    def _pages(self, path: str, kind: type[Any], parameters: Mapping[str, Any]) -> Iterator[Any]:
        after: str | None = None
        while True:
            page = self._get(path, kind, {"limit": PAGE, **parameters, "after": after})
            yield from page.items
            after = page.next
            if after is None:
                return

    def _events(
        self, parameters: Mapping[str, Any], cursor: str | None
    ) -> Iterator[tuple[str, str | None, Any]]:
        """Yield events of the stream, as kind, identifier and data, until the connection breaks."""
        connection = self._opened()
        try:
            headers = {**self._headers, "Accept": "text/event-stream"}
            if cursor:
                headers["Last-Event-ID"] = cursor
            connection.request("GET", self._address("/stream", parameters), headers=headers)
            response = connection.getresponse()
            if response.status != 200:
                raise _error(response, response.read())
            event, identity, data = "message", None, ""
            for raw in response:
                line = raw.decode().rstrip("\n")
                name, _, text = line.partition(": ")
                if not line:
                    if data:
                        yield event, identity, json.loads(data)
                    elif identity:
                        yield "ping", identity, None
                    event, identity, data = "message", None, ""
                elif name == "event":
                    event = text
                elif name == "id":
                    identity = text
                elif name == "data":
                    data += text
        finally:
            connection.close()

    def _ask(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        body: bytes | None = None,
        media: str | None = None,
        if_match: str | None = None,
    ) -> tuple[http.client.HTTPResponse, bytes]:
        headers = {
            **self._headers,
            **({"Content-Type": media} if media else {}),
            **({"If-Match": if_match} if if_match else {}),
        }
        address = self._address(path, parameters)
        for is_last in (False, True):
            fresh = self._connection is None
            connection = self._connection = self._connection or self._opened()
            try:
                connection.request(method, address, body=body, headers=headers)
                response = connection.getresponse()
                content = response.read()
                break
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                # The server closes a connection that was idle for long; what it did not answer is asked again once.
                self.close()
                if fresh or is_last:
                    raise
            except BaseException:
                self.close()
                raise
        if response.status >= 400:
            raise _error(response, content)
        return response, content

    def _address(self, path: str, parameters: Mapping[str, Any] | None) -> str:
        given = {
            name: value for name, value in (parameters or {}).items() if value is not None and value != ""
        }
        return self._root + API + path + (f"?{urlencode(given, doseq=True)}" if given else "")

    def _opened(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=self._timeout_s, context=self._context)
        return http.client.HTTPConnection(host, port, timeout=self._timeout_s)


def _error(response: http.client.HTTPResponse, body: bytes) -> ApiError:
    try:
        problem = json.loads(body)
        return ApiError(
            response.status, problem["title"], problem.get("detail", ""), problem.get("errors", [])
        )
    except (ValueError, KeyError, TypeError):
        return ApiError(response.status, response.reason, body[:200].decode(errors="replace"), [])
