"""Fixed answers about alerts: targets, and what they were told."""

from starlette.responses import JSONResponse

from tests.page.fleet import NOW
from tests.page.problem import problem

PATH = "/etc/htmengine/alerts.toml"
HOSTILE = "<img/src=x/onerror=alert(1)>"


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
