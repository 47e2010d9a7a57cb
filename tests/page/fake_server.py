"""The page's server for its tests: fixed answers in the shapes of the API, and a stream that tests feed."""

import asyncio
import copy
import fnmatch
import hashlib
import json
import mimetypes
import socket
import struct
import threading
import time
from importlib import resources
from string import Template

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.page import alerts, fleet, monitor_rules
from tests.page.fleet import NOW
from tests.page.problem import problem

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
LISTENER_TIMEOUT_S = 20
STATIC = "static/" + hashlib.sha256(b"page").hexdigest()[:12]
PAGE = resources.files("htmengine.web") / "page"


class World:
    """What the server knows; tests change it before they open the page, or while it is open."""

    def __init__(self, names=fleet.NAMES, extra=()):
        self.names = [*names, *extra]
        self.rows = {}
        self._uids = {}
        self.incidents = copy.deepcopy(fleet.INCIDENTS) if names else []
        self.events = []
        self.taught = fleet.taught() if names else []
        self.silenced = []  # rows of each metric
        self.troubles = []
        self.token = None
        self.requests = []
        self.listeners = []
        self.merged = {}
        self.rules_editable = True
        self.monitor_rules = monitor_rules.RULES
        self.stage = {}
        self.jobs = {}
        self.jobs_last = False
        self.grafana = None
        self.rules = alerts.RULES
        self.targets = alerts.targets()
        self.notices = alerts.notices() if names else []
        self.loop = None

    def row(self, name):
        if name not in self.rows:
            self.rows[name] = dict(fleet.row(name)) if name in fleet.NAMES else self._plain(name)
        return self.rows[name]

    def _plain(self, name):
        like = fleet.NAMES[len(name) % 40]
        return {**fleet.row(like), "uid": fleet.uid_of(name), "name": name, "incident": None, "oddness": 0.5}

    def name_of(self, uid):
        if len(self._uids) != len(self.names):
            self._uids = {fleet.uid_of(name): name for name in self.names}
        return self._uids.get(uid) or next((name for name in self.names if fleet.uid_of(name) == uid), None)

    def series_name(self, name):
        return name if name in fleet.NAMES else fleet.NAMES[len(name) % 40]

    def push(self, event, data):
        """Send an event to every page that is open; where none listens yet, wait for the first."""
        deadline = time.monotonic() + LISTENER_TIMEOUT_S
        while not self.listeners:
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"no page opened the stream within {LISTENER_TIMEOUT_S} s, so {event} has no reader"
                )
            time.sleep(0.01)
        self._send(event, data)

    def end_streams(self):
        """End the stream of every page that is open."""
        self._send(None, None)

    def _send(self, event, data):
        for queue in list(self.listeners):
            self.loop.call_soon_threadsafe(queue.put_nowait, (event, data))


def matches(row, query):
    """Whether a metric is meant by words of the search language."""
    for word in query.split():
        negative, word = word.startswith("-"), word.removeprefix("-")
        key, colon, rest = word.partition(":")
        if colon and key == "state":
            found = row["state"] == rest
        elif colon and key == "tag":
            name, _, value = rest.partition("=")
            found = fnmatch.fnmatchcase(row["tags"].get(name, ""), value or "?*")
        elif colon and key == "score":
            found = (row["max_1h"] or 0) > float(rest.lstrip(">="))
        elif colon and key == "cause":
            found = row["cause"] == rest
        elif any(sign in word for sign in "*?[{"):
            found = fnmatch.fnmatchcase(row["name"], word)
        else:
            found = word.lower() in row["name"].lower()
        if found == negative:
            return False
    return True


def application(world):
    """Return the application that serves the page and answers for a world."""
    api = _Api(world)

    async def index(request):
        depth = request.scope["path"].removeprefix(request.scope.get("root_path", "")).count("/") - 1
        text = Template((PAGE / "index.html").read_text()).substitute(static="../" * depth + STATIC)
        return Response(text, media_type="text/html", headers=SAFE)

    async def static(request):
        file = PAGE / request.path_params["path"]
        kind = mimetypes.guess_type(file.name)[0]
        return Response(
            file.read_bytes(),
            media_type="text/javascript" if file.name.endswith(".js") else kind,
            headers=SAFE,
        )

    pages = [
        "/",
        "/m",
        "/m/{uid}",
        "/incidents",
        "/i/{id}",
        "/health",
        "/setup",
        "/setup/{part}",
        "/login",
        "/nowhere",
    ]
    routes = [Route(path, index) for path in pages]
    routes.append(Route("/" + STATIC + "/{path:path}", static))
    routes.append(Route("/api/v1/{path:path}", api.answer, methods=["GET", "POST", "PUT", "DELETE"]))
    return Starlette(routes=routes)


SAFE = {"Content-Security-Policy": CSP, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}


class _Api(alerts.Answers, monitor_rules.Answers):
    def __init__(self, world):
        self.world = world

    async def answer(self, request):
        world, path = self.world, request.path_params["path"]
        world.requests.append((request.method, path, dict(request.query_params)))
        if path == "stream":
            return await self.stream(request)
        if path == "session":
            return await self.session(request)
        if world.token and request.cookies.get("htm") != world.token:
            return problem(401, "A token is needed", "Log in with an access token.")
        head, *rest = path.split("/")
        method = getattr(self, f"{request.method.lower()}_{head.replace('-', '_')}", None)
        if method is None:
            return problem(404, "Not found", f"There is no {path}.")
        result = await method(request, *rest)
        return result if isinstance(result, Response) else JSONResponse(result)

    async def session(self, request):
        world = self.world
        if request.method == "POST":
            given = (await request.json())["token"]
            if given != world.token:
                return problem(401, "The token is not known", "No token like this is known here.")
            response = JSONResponse({})
            response.set_cookie("htm", given, httponly=True, samesite="lax")
            return response
        return JSONResponse(
            {
                "version": "0.1.0",
                "token_needed": world.token is not None,
                "scopes": ["read", "write", "teach", "admin"],
                "server_time": NOW,
                "public_url": None,
                "graphite_port": 2003,
                "http_port": 2080,
                "hostname": "metrics.example",
                "grafana_url": world.grafana,
            }
        )

    async def stream(self, request):
        world, queue = self.world, asyncio.Queue()
        world.loop = asyncio.get_running_loop()
        world.listeners.append(queue)

        async def events():
            hello = {
                "cursor": "e-0",
                "server_time": NOW,
                "version": "0.1.0",
                "columns": ["uid", "rowid", "time", "value", "log_score", "cause"],
            }
            yield f"retry: 500\nevent: hello\ndata: {json.dumps(hello)}\n\n"
            try:
                while True:
                    event, data = await queue.get()
                    if event is None:
                        return
                    yield f"event: {event}\ndata: {json.dumps(data)}\n\n"
            finally:
                world.listeners.remove(queue)

        return StreamingResponse(
            events(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    async def get_overview(self, _request):
        world = self.world
        open_ones = [one for one in world.incidents if one["state"] == "open"]
        rows = [world.row(name) for name in world.names]
        return {
            "incidents_open": len(open_ones),
            "unusual": sum((row["log_score"] or 0) >= 0.5 for row in rows),
            "metrics": len(rows),
            "lag_s": 1.2,
            "engine": "trouble" if world.troubles else "well",
            "troubles": world.troubles,
            "calm_since": None if open_ones else NOW - 11_520,
            "samples_total": 1_000_000 if rows else 0,
            "monitored": len(rows),
        }

    async def get_labels(self, request):
        params = request.query_params
        uid = params.get("uid")
        if "taught" in params:
            found = [one for one in self.world.taught if "undone" in params or one["undone"] is None]
            return {"items": [one for one in found if uid in (None, one["uid"])], "next": None}
        return {"items": [one for one in fleet.labels() if one["uid"] in (None, uid)], "next": None}

    async def post_labels(self, request):
        body, taught = await request.json(), self.world.taught
        taught.append(
            {**taught[0], **body, "id": "l9", "name": self.world.name_of(body["uid"]), "created": NOW}
        )
        return self.world.taught[-1]

    async def delete_labels(self, _request, key):
        one = next(one for one in self.world.taught if one["id"] == key)
        one |= {"undone": NOW, "counts": False}
        return Response(status_code=204)

    async def get_metrics(self, request, *rest):
        world, params = self.world, request.query_params
        if not rest:
            return self._list(params)
        if rest[0] == "sparks":
            since, until = float(params.get("from", NOW - 86_400)), float(params.get("to", NOW))
            found = {uid: world.name_of(uid) for uid in params.getlist("uid")}
            return {
                "step": (until - since) / 60,
                "end": until,
                "items": {
                    uid: fleet.spark(world.series_name(name), since, until)
                    for uid, name in found.items()
                    if name
                },
            }
        if rest[0] == "tree":
            return self._tree(params)
        name = world.name_of(rest[0])
        if name is None:
            return problem(404, "Metric not found", f"No metric has the uid {rest[0]}.")
        if len(rest) == 1:
            return self._detail(name)
        if rest[1] == "data":
            return self._data(name, params)
        since, until = float(params.get("from", 0)), float(params.get("to", NOW + 1))
        alarms = [one for one in fleet.alarms(name) if since <= one["time"] <= until]
        if rest[1] == "alarms":
            return {"items": alarms[: int(params.get("limit", 100))], "next": None}
        if rest[1] == "silenced":
            return {"items": [one for one in world.silenced if since <= one["time"] <= until], "next": None}
        if rest[1] == "taught-past":
            gone = [{**one, "real": False} for one in fleet.alarms(name)[:3]]
            return {
                "rows": 5001,
                "seconds": 0.12,
                "from": NOW - 9e5,
                "first_rowid": 1,
                "gone": gone,
                "added": [],
            }
        found = next((one for one in fleet.alarms(name) if str(one["rowid"]) == rest[2]), None)
        if silenced := [one for one in world.silenced if str(one["rowid"]) == rest[2]]:
            label, score = silenced[0]["label"], silenced[0]["log_score"]
            found = {**fleet.alarms(name)[0], **silenced[0], "log_score": score, "silenced_by": label}
        if found is None:
            return problem(404, "Row not found", "The row is not kept any more.")
        channels = {
            "sequence": 0.12,
            "jump": 0.31,
            "extreme": 0.22,
            "deviation": 0.4,
            found["channel"]: found["log_score"],
        }
        return {**found, "channels": channels}

    def _list(self, params):
        world = self.world
        if params.getlist("uid"):
            names = [name for name in map(world.name_of, params.getlist("uid")) if name]
            return {"items": [world.row(name) for name in names], "next": None, "total": len(names)}
        rows = [row for name in world.names if matches(row := world.row(name), params.get("q", ""))]
        keys = {
            "name": lambda row: row["name"],
            "last": lambda row: -row["last"]["time"],
            "alarms": lambda row: -row["alarms_24h"],
            "trouble": lambda row: (row["state"] == "active", row["name"]),
            "lag": lambda row: row["last"]["time"],
        }
        rows.sort(
            key=keys.get(
                params.get("sort"), lambda row: (row["incident"] is None, -row["oddness"], row["name"])
            )
        )
        start, limit = int(params.get("after", 0)), int(params.get("limit", 100))
        end = start + limit
        return {"items": rows[start:end], "next": str(end) if end < len(rows) else None, "total": len(rows)}

    def _tree(self, params):
        rows = [row for name in self.world.names if matches(row := self.world.row(name), params.get("q", ""))]
        tags = sorted({key for row in rows for key in row["tags"]})
        prefix, groups = params.get("prefix", ""), {}
        for row in rows:
            if "tag" in params:
                label = row["tags"].get(params["tag"])
                if label is None:
                    continue
                key, leaf = label, False
            else:
                if not row["name"].startswith(prefix):
                    continue
                label, dot, _ = row["name"][len(prefix) :].partition(".")
                key, leaf = prefix + label + dot, not dot
            group = groups.setdefault(
                key,
                {
                    "prefix": key,
                    "label": label,
                    "count": 0,
                    "unusual": 0,
                    "worst": None,
                    "uid": row["uid"] if leaf else None,
                },
            )
            group["count"] += 1
            group["unusual"] += (row["log_score"] or 0) >= 0.5
            group["worst"] = max(group["worst"] or 0, row["max_1h"] or 0)
        return {"items": [groups[key] for key in sorted(groups)], "tags": tags}

    def _detail(self, name):
        row = self.world.row(name)
        why = row["why_no_score"]
        return {
            **row,
            "first": fleet.first_time(self.world.series_name(name)),
            "rows": row["stored"],
            "unit": None,
            "model": {
                "parameter_set": "default",
                "samples": row["stored"],
                "generation": 1,
                "checkpoint_age_s": 212.0,
            }
            if not why or why["code"] == "too_few_samples"
            else None,
            "doctor": "All samples are scored."
            + (
                ""
                if not why
                else f" The model has seen {why['have']} and is young."
                if why.get("have")
                else why["text"]
            ),
            "needs_attention": row["state"] == "error",
            "refused": [
                {
                    "reason": "has a later sample already",
                    "count": 4,
                    "sample": f"{name} 12 1773321000",
                    "cure": "Send samples of a metric in the order of their times.",
                }
            ]
            if name == "queue.orders.depth"
            else [],
        }

    def _data(self, name, params):
        since, until = float(params.get("from", 0)), float(params.get("to", NOW))
        columns = fleet.reduce(
            fleet.series(self.world.series_name(name), since, until), int(params.get("points", 2000))
        )
        wanted = ["time", *params.get("series", "value").split(",")]
        wanted += [extra for extra in ("value_min", "value_max") if extra in columns]
        wanted = [column for column in wanted if column in columns]
        body = b"".join(struct.pack(f"<{len(columns[one])}d", *columns[one]) for one in wanted)
        headers = {"X-Columns": ",".join(wanted), "X-Rows": str(len(columns["time"]))}
        return Response(body, media_type="application/octet-stream", headers=headers)

    async def get_anomalies(self, request):
        world, params = self.world, request.query_params
        since, until = float(params["from"]), float(params["to"])
        found = []
        for name in world.names:
            alarms = [one for one in fleet.alarms(name) if since <= one["time"] <= until]
            if alarms and matches(world.row(name), params.get("q") or ""):
                found.append((name, alarms))
        if params.get("rank") == "window":
            items = [
                {
                    "uid": fleet.uid_of(name),
                    "name": name,
                    "score": max(one["log_score"] for one in alarms),
                    "max": max(one["log_score"] for one in alarms),
                    "alarms": len(alarms),
                    "first": alarms[-1]["time"],
                }
                for name, alarms in found
            ]
            return {"items": sorted(items, key=lambda one: -one["score"])}
        items = sorted((one for _name, alarms in found for one in alarms), key=lambda one: -one["time"])
        return {"items": items[: int(params.get("limit", 100))], "next": None}

    async def get_fleet(self, request):
        params = request.query_params
        since, until, step = (float(params[key]) for key in ("from", "to", "step"))
        times = [int(since // step * step + i * step) for i in range(int((until - since) // step) + 1)]
        alarming = [0] * len(times)
        for name in self.world.names:
            for place in {int((one["time"] - times[0]) // step) for one in fleet.alarms(name)}:
                if 0 <= place < len(times):
                    alarming[place] += 1
        return {
            "step": step,
            "times": times,
            "alarming": alarming,
            "metrics": [len(self.world.names)] * len(times),
        }

    async def get_events(self, request):
        first, last = float(request.query_params["from"]), float(request.query_params["to"])
        return {"items": [one for one in self.world.events if first <= one["time"] <= last]}

    async def get_incidents(self, request, *rest):
        if rest:
            wanted = self.world.merged.get(rest[0], rest[0])
            found = next((one for one in self.world.incidents if one["id"] == wanted), None)
            return found or problem(404, "Incident not found", f"No incident has the id {rest[0]}.")
        wanted, q = request.query_params.get("state", "all"), request.query_params.get("q", "")
        uid = request.query_params.get("uid")
        items = [
            one
            for one in self.world.incidents
            if (wanted == "all" or one["state"] == wanted)
            and any(q in metric["name"] and uid in (None, metric["uid"]) for metric in one["metrics"])
        ]
        return {"items": items[: int(request.query_params.get("limit", 100))], "next": None}

    async def post_incidents(self, request, key, what):
        found = next(one for one in self.world.incidents if one["id"] == key)
        body = await request.json()
        done = {"by": "anna", "at": NOW, "note": body.get("note", "")}
        if what == "ack":
            found["ack"] = done
        elif what == "snooze":
            found["snoozed_until"] = body["until"]
        elif what == "resolve":
            found |= {"state": "resolved", "resolved": NOW}
        elif what == "verdict":
            found["verdict"] = done | {"verdict": body["verdict"]}
        found["history"].append(
            done | {"action": what, "until": body.get("until"), "verdict": body.get("verdict")}
        )
        return found

    async def get_health(self, _request):
        def stage(key, title, rate, queued=0, lag=0.0, **more):
            changed = self.world.stage if self.world.stage.get("id") == key else {}
            return {
                "id": key,
                "title": title,
                "state": "well",
                "rate_in": rate,
                "rate_out": rate,
                "rates": [rate * (1 + 0.05 * (i % 7)) for i in range(59)],
                "queued": queued,
                "lag_s": lag,
                "errors": 0,
                "restarts": 0,
                "up_s": 1_040_000,
                "text": None,
                "do": None,
                **more,
                **changed,
            }

        return {
            "latency": {"median_s": 0.38, "p99_s": 1.2},
            "stages": [
                stage("metric_listener", "Listener", 3.18),
                stage("metric_storer", "Storer", 3.18, 2, 0.1),
                stage("model_scheduler", "Models", 3.16, 4, 0.2),
                stage("anomaly_service", "Scores", 3.16, 1, 0.1),
                stage("incidents", "Incidents", 0.12),
            ],
            "silent": [
                {"uid": fleet.uid_of(name), "name": name, "expected_s": 60, "silent_s": fleet.SILENT_S}
                for name in sorted(fleet.SILENT)
            ]
            if self.world.names
            else [],
            "new_names": [{"name": name, "time": NOW - 2220} for name in fleet.LEARNING],
            "capacity": {"metrics": len(self.world.names), "possible": 31_000, "limit": "processor"},
            "checkpoints": {"last_age_s": 540, "saved": 5012},
            "versions": {
                "htmengine": "0.1.0",
                "python": "3.11.2",
                "database": "SQLite 3.40.1",
                "bus": "embedded",
            },
            "config": ["/etc/htmengine/application.conf"],
            "disk": {"free_bytes": 214e9, "total_bytes": 480e9},
            "findings": [],
        }

    async def get_refusals(self, _request):
        return {
            "items": [
                {
                    "door": "graphite-text",
                    "reason": "has a later sample already",
                    "count": 412,
                    "sample": "web.api.requests 1204 1773321000",
                    "peer": "10.0.4.17:51822",
                    "last": NOW - 40,
                    "cure": "Send the samples of a metric in the order of their times.",
                },
                {
                    "door": "graphite-text",
                    "reason": "the value is not a number",
                    "count": 18,
                    "sample": "shop.cart.size none 1773325510",
                    "peer": "10.0.4.31:40112",
                    "last": NOW - 50,
                    "cure": "Send a number, and nothing where there is none.",
                },
            ]
        }

    async def get_dead(self, _request):
        return {
            "items": [
                {
                    "id": "d1",
                    "queue": "htmengine.metric_data",
                    "reason": "not lines of metric data: not UTF-8",
                    "time": NOW - 86_000,
                    "size": 212,
                }
            ],
            "total": 1,
        }

    async def post_dead(self, _request, *_rest):
        return {"requeued": 1}

    async def get_follow(self, request):
        name = request.query_params["metric"]
        if name not in self.world.names:
            return problem(404, "Metric not found", f"No sample of {name} has ever arrived.")
        at = float(request.query_params["time"])
        steps = [
            ("Listener", 0.02, "line taken from 10.0.4.17"),
            ("Storer", 0.11, "stored as row 30 241"),
            ("Models", 0.29, "scored in a batch of 12"),
            ("Scores", 0.38, "log score 0.71, an alarm"),
            ("Incidents", 0.9, "joined i7k2"),
        ]
        return {
            "steps": [
                {"stage": stage, "state": "done", "time": at + after, "text": text}
                for stage, after, text in steps
            ]
        }

    async def get_doors(self, _request):
        quiet = not self.world.names
        door = {
            "id": "graphite-text",
            "title": "Graphite text",
            "host": "metrics.example",
            "port": 2003,
            "samples_10s": 0 if quiet else 32,
            "last_sample": None if quiet else NOW - 1,
            "last_refusal": {
                "reason": "a line has three fields",
                "sample": "hello",
                "last": NOW - 30,
                "peer": "10.0.4.31:40112",
            },
            "samples": 0 if quiet else 41_200,
        }
        silent = {
            **door,
            "samples_10s": 0,
            "last_sample": None,
            "last_refusal": None,
            "port": 2080,
            "samples": 0,
        }
        return {
            "items": [
                door,
                {**silent, "id": "remote_write", "title": "Prometheus remote write"},
                {**silent, "id": "json", "title": "JSON"},
            ]
        }

    async def post_models(self, _request, *_rest):
        return Response(b"model", media_type="application/octet-stream")

    async def post_backfill(self, request, *parts):
        lines = (await request.body()).decode().splitlines()
        job = {
            "id": "j1",
            "kind": "backfill",
            "state": "running",
            "done": 0,
            "total": len(lines) - 1,
            "stage": f"sending {'/'.join(parts)}",
            "started": NOW,
            "result_url": None,
        }
        self.world.jobs["j1"] = job
        return JSONResponse(job, 202)

    async def post_detect(self, request):
        lines = (await request.body()).decode().splitlines()
        job = {
            "id": "j2",
            "kind": "detect",
            "state": "running",
            "done": 0,
            "total": len(lines) - 1,
            "stage": "scoring",
            "started": NOW,
            "result_url": "jobs/j2/result",
        }
        self.world.jobs["j2"] = job
        return JSONResponse(job, 202)

    async def post_backtest(self, request):
        self.world.backtest = await request.json()
        job = {
            "id": "j3",
            "kind": "backtest",
            "state": "running",
            "done": 40_000,
            "total": 200_000,
            "stage": "Scoring",
            "started": NOW,
            "result_url": "jobs/j3/result",
        }
        self.world.jobs["j3"] = job
        return JSONResponse(job, 202)

    async def delete_jobs(self, _request, key):
        self.world.jobs[key] |= {"state": "cancelled"}
        return self.world.jobs[key]

    def _backtest(self):
        asked = self.world.backtest
        rules = [f", rules {i}" for i in range(1, len(asked["rules"]) + 1)] or [""]
        variants = [f"{model}{one}" for model in ["as it was", *asked["models"]] for one in rules]
        return {
            "since": asked["since"],
            "until": NOW,
            "variants": [
                {
                    "variant": variant,
                    "metrics": 40,
                    "alarms": 412 - 31 * i,
                    "incidents": 131 - 9 * i,
                    "notices": 36 - 8 * i,
                    "notices_a_week": 9.0 - 2 * i,
                    "labels": 8,
                    "alarmed": 8,
                    "found": 7,
                    "recall": 0.875,
                    "precision": 0.4 + 0.1 * i,
                    "delay_s": 240.0,
                }
                for i, variant in enumerate(variants)
            ],
        }

    async def get_jobs(self, _request, *rest):
        job = self.world.jobs[rest[0]]
        if len(rest) > 1 and job["kind"] == "backtest":
            return {"document": self._backtest()}
        if len(rest) > 1:
            name = "db.primary.latency_p95"
            columns = fleet.series(name, NOW - 86_400, NOW)
            order = ["time", "value", "log_score", "forecast", "low", "high"]
            alarms = fleet.alarms(name)
            incident = {
                "start": alarms[-1]["time"],
                "end": alarms[0]["time"],
                "peak": alarms[-5]["time"],
                "rows": 5,
                "line": 1202,
                "value": alarms[-5]["value"],
                "log_score": 0.86,
                "one_in": 41_000,
                "usual": [90.0, 130.0],
                "forecast": 110.0,
                "cause": "jump",
                "direction": "up",
                "reason": "steps larger than usual",
                "sentence": alarms[-5]["sentence"],
            }
            document = {
                "title": "the file: latency",
                "summary": "1 incident in 1 441 rows.",
                "notes": ["The times are read as UTC."],
                "value": "latency",
                "threshold": 0.5,
                "anomalous": True,
                "columns": {one: columns[one].tolist() for one in order},
                "incidents": [incident],
            }
            return {"document": document}
        if not self.world.jobs_last and job["state"] == "running":
            self.world.jobs[rest[0]] = {**job, "state": "done", "done": job["total"]}
        return job

    async def get_tokens(self, _request):
        return {
            "items": [
                {
                    "id": "t1",
                    "name": "grafana",
                    "scopes": ["read"],
                    "created": NOW - 900_000,
                    "last_used": NOW - 30,
                    "by": "admin",
                }
            ]
        }

    async def post_tokens(self, request):
        wanted = await request.json()
        return JSONResponse(
            {
                "id": "t2",
                "name": wanted["name"],
                "scopes": wanted["scopes"],
                "created": NOW,
                "last_used": None,
                "by": "you",
                "token": "htm_" + "x" * 43,
            },
            201,
        )

    async def delete_tokens(self, _request, _id):
        return PlainTextResponse("", 204)


class Server:
    """A world served on a free port, until `close`."""

    def __init__(self, world, wrap=lambda app: app, port=0):
        self.world = world
        self.wrap = wrap
        self._start(port)

    def _start(self, port):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", port))
        self.port = self.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(
            self.wrap(application(self.world)), log_level="error", lifespan="off", timeout_graceful_shutdown=1
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]}, daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def close(self):
        """End the server, and the streams that it feeds."""
        self.world.end_streams()
        self.server.should_exit = True
        self.thread.join(timeout=10)
        self.socket.close()

    def restart(self):
        """Begin again on the same port."""
        self._start(self.port)
