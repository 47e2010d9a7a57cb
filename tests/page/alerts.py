"""Fixed answers about alerts: targets, what they were told, and the rules."""

import tomllib
from pathlib import Path

import msgspec
from starlette.responses import JSONResponse

from htmengine.alerts import from_afar, rules_file
from htmengine.alerts.rules_text import WrittenRule, with_rules, written_rules
from htmengine.alerts.tables_text import (
    WrittenTarget,
    WrittenWindow,
    with_maintenance,
    with_targets,
    with_windows,
    written_targets,
    written_windows,
)
from htmengine.alerts.targets import kinds
from tests.page.fleet import NOW
from tests.page.problem import problem

PATH = "/etc/htmengine/alerts.toml"
TABLES = {
    "windows": (WrittenWindow, with_windows),
    "targets": (WrittenTarget, with_targets),
    "maintenance": (str, with_maintenance),
    "rules": (WrittenRule, with_rules),
}
HOSTILE = "<img/src=x/onerror=alert(1)>"

RULES = """\
# Who is told of what.
maintenance = "upgrades"

[targets.ops]
kind = "webhook"
url = "https://hooks.example.com/a"

[targets.pager]
kind = "pagerduty"
routing_key_env = "PAGER_KEY"

[windows.office]
cron = "0 8 * * mon-fri"
duration = "10h"
timezone = "Europe/Berlin"

[windows.upgrades]
cron = "0 3 * * sun"
duration = "2h"

[[rules]]
name = "databases"
match = "db.*"
exclude = "db.test.*"
min_deviation = { percent = 20 }
severity = "critical"
targets = ["pager", "ops"]

[[rules]]
name = "everything else"
at_least = { rows = 3, metrics = 2 }
active = "office"
budget = 2
targets = "ops"
"""


def notice(id_, target, state, **more):
    """Return a notice of an incident to a target."""
    return {
        "id": id_,
        "incident": "i7k2",
        "target": target,
        "rule": "databases",
        "kind": "opened",
        "severity": "warning",
        "state": state,
        "reason": None,
        "created": NOW - 900,
        "tries": 1,
        "due": None,
        "done": NOW - 899 if state == "delivered" else None,
        "title": "Warning: db.primary.latency_p95 and 6 other metrics",
        **more,
    }


def notices():
    """Return what was told, the newest first."""
    return [
        notice(
            12,
            "pager",
            "retrying",
            reason="HTTP 503 Service Unavailable",
            tries=3,
            due=NOW + 40,
            created=NOW - 70,
        ),
        notice(
            11, "ops", "pending", incident="i7k1", title="Warning: host.web07.disk.root.used", created=NOW - 2
        ),
        notice(10, "pager", "dead", reason="HTTP 404 Not Found", done=NOW - 800, tries=1),
        notice(9, "ops", "delivered"),
        notice(8, "ops", "suppressed", kind="grew", reason="acknowledged by anna", tries=0, done=NOW - 600),
        notice(
            7,
            "ops",
            "delivered",
            incident=None,
            rule="lag",
            title="Engine: a sample waits for its score for 6 min",
        ),
    ]


def targets():
    """Return who is told."""
    return [
        {
            "name": "ops",
            "kind": "webhook",
            "settings": {"url": "https://hooks.example.com/***", "format": "htmengine", "signed": "yes"},
            "secrets": {"secret": "the file secrets/ops-webhook"},
            "enabled": True,
            "disabled_reason": None,
            "last": notice(9, "ops", "delivered"),
        },
        {
            "name": "pager",
            "kind": "pagerduty",
            "settings": {"url": "https://events.pagerduty.com/***"},
            "secrets": {"routing_key": "the environment variable PAGER_KEY"},
            "enabled": False,
            "disabled_reason": "HTTP 410 Gone",
            "last": notice(10, "pager", "dead", reason="HTTP 404 Not Found", done=NOW - 800),
        },
    ]


def _maintenance(text):
    found = tomllib.loads(text).get("maintenance", [])
    return [found] if isinstance(found, str) else found


def _pointer(path, body):
    kind, *rest = path
    if kind in ("windows", "targets"):
        rest[0] = [one["name"] for one in body[kind]].index(rest[0])
        if kind == "targets" and rest[1:] and rest[1] != "kind":
            rest.insert(1, "settings")
    return "/" + "/".join(map(str, (kind, *rest)))


class Answers:
    """What the server answers about alerts."""

    async def get_targets(self, _request):
        return {"items": self.world.targets, "path": PATH}

    async def post_targets(self, _request, name, _test):
        if name == "pager":
            return {"delivered": False, "reason": "HTTP 410 Gone"}
        return {"delivered": True, "reason": "HTTP 204"}

    async def get_deliveries(self, request):
        params = request.query_params
        states, limit = params.getlist("state"), int(params.get("limit", 100))
        items = [
            one
            for one in self.world.notices
            if (not states or one["state"] in states)
            and params.get("target") in (None, one["target"])
            and params.get("incident") in (None, one["incident"])
        ]
        return {"items": items[:limit], "next": "more" if len(items) > limit else None}

    async def post_deliveries(self, _request, key, _send):
        of_incidents = [delivery for one in self.world.incidents for delivery in one["deliveries"]]
        found = next(
            (delivery for delivery in [*of_incidents, *self.world.notices] if delivery["id"] == int(key)),
            None,
        )
        if found is None:
            return problem(404, "Not found", f"There is no notice {key}.")
        found |= {"state": "pending", "reason": None, "tries": 0, "done": None}
        return JSONResponse(found)

    async def get_rules(self, _request):
        return self._rules()

    def _rules(self):
        text = self.world.rules
        parsed = rules_file.parse(text, Path(PATH))
        windows = [
            {"name": one.name, "words": one.words, "next": _next(one.at_or_after(NOW))}
            for one in parsed.windows
        ]
        body = {
            "text": text,
            "path": PATH,
            "fault": "; ".join(fault.text for fault in parsed.faults) or None,
            "rules": msgspec.to_builtins(written_rules(text)),
            "windows": windows,
            "targets": list(parsed.targets),
            "written_targets": msgspec.to_builtins(written_targets(text)),
            "written_windows": msgspec.to_builtins(written_windows(text)),
            "maintenance": _maintenance(text),
            "mode": parsed.rules.mode,
            "max_age_s": 3600,
        }
        return JSONResponse(body, headers={"ETag": f'"{len(text)}"'})

    def _wanted(self, body):
        """Return the text that is asked for, or the answer that says what is wrong with it."""
        if "text" in body:
            text = body["text"]
        else:
            text = self.world.rules
            for name, (kind, put) in TABLES.items():
                if name in body:
                    text = put(text, msgspec.convert(body[name], list[kind]))
        found = rules_file.parse(text, Path(PATH))
        for name, table in found.targets.items():
            if name in {one["name"] for one in body.get("targets", [])} - {"ops", "pager"}:
                kinds.make(name, table, Path(PATH).parent)
        faults = from_afar.faults(self.world.rules, text, Path(PATH).parent) or found.faults
        if not faults:
            return text
        errors = [
            {
                "pointer": "/text" if "text" in body else _pointer(one.path, body),
                "detail": one.text,
            }
            for one in faults
        ]
        return problem(400, "Bad request", "Nothing was changed.", errors)

    async def put_rules(self, request):
        if request.headers.get("If-Match") != f'"{len(self.world.rules)}"':
            return problem(
                412, "Somebody else changed it", "alerts.toml is another one by now; read it again."
            )
        text = self._wanted(await request.json())
        if not isinstance(text, str):
            return text
        self.world.rules = text
        return self._rules()

    async def post_windows(self, request, _preview):
        text = with_windows("", [msgspec.convert(await request.json(), WrittenWindow)])
        found = rules_file.parse(text, Path(PATH))
        if found.faults:
            errors = [{"pointer": f"/{'/'.join(one.path[2:])}", "detail": one.text} for one in found.faults]
            return problem(400, "Bad request", "It cannot be used.", errors)
        (window,) = found.windows
        first = window.at_or_after(NOW)
        times = [first, window.at_or_after(first.end)]
        return {"words": window.words, "next": [_next(one) for one in times if one]}

    async def post_rules(self, request, _preview):
        body = await request.json()
        text = self._wanted(body)
        if not isinstance(text, str):
            return text
        rules = written_rules(text)
        notable = [one for one in self.world.incidents if one["severity"] != "info"]
        curve = next((rule for rule in rules if rule.name == body.get("curve_of")), None)
        return {
            "messages": [
                {
                    "incident": one["id"],
                    "time": one["opened"],
                    "rule": rules[i % len(rules)].name,
                    "severity": one["severity"],
                    "targets": ["ops"],
                    "resolved": one["resolved"],
                    "metrics": one["metric_count"],
                    "alarms": one["alarm_count"],
                    "max": one["max"],
                }
                for i, one in enumerate(notable if rules else [])
            ],
            "silenced": {"maintenance: upgrades": 1},
            "incidents": len(self.world.incidents),
            "first": NOW - 20 * 86_400,
            "thresholds": {},
            "curve": curve
            and {
                "points": [
                    {"min_score": round(0.5 + i / 100, 2), "per_week": max(0.0, 12.0 - 0.4 * i)}
                    for i in range(51)
                ],
                "weeks": 3.0,
                "min_score": 0.75,
            },
        }


def _next(span):
    return span and [span.begin, span.end]
