"""Notices as tests need them."""

from htmengine.alerts.notice import First, Link, MetricFacts, Notice, Severity

FIRST = MetricFacts(
    name="db.latency;dc=a",
    uid="u1",
    first=1_700_000_000.0,
    time=1_700_000_060.0,
    alarms=3,
    value=932.0,
    score=0.61,
    one_in=120_000.0,
    forecast=410.0,
    usual=(380.0, 455.0),
    cause="error",
    direction="up",
    reason="far above its forecast",
    sentence="932 is far above the forecast of 410 (usual 380 to 455)",
)
FOLLOWER = MetricFacts(
    name="web.errors",
    uid="u2",
    first=1_700_000_120.0,
    lag_s=120.0,
    time=1_700_000_120.0,
    value=71.0,
    score=0.55,
    usual=(0.0, 9.0),
    cause="extreme",
    direction="up",
    reason="highest ever",
    sentence="71 is higher than ever before (usual 0 to 9)",
)


def notice(kind="opened", *, number=1, incident="i7", severity: Severity = "warning", **changes):
    """Return a notice of an incident of two metrics; `number` is its place among those of the incident."""
    facts = {
        "id": f"{incident}.{number}",
        "kind": kind,
        "time": 1_700_000_130.0,
        "installation": "here",
        "incident": incident,
        "severity": severity,
        "first": First(f"{incident}.1", "warning", FIRST.name),
        "started": FIRST.first,
        "ended": 1_700_003_600.0 if kind == "resolved" else None,
        "sentence": f"began with {FIRST.name}: {FIRST.sentence}; 1 other metric followed within 2 min",
        "rule": "databases",
        "first_mover": FIRST.name,
        "metrics": (FIRST, FOLLOWER),
        "metric_count": 2,
        "alarm_count": 4,
        "url": f"https://engine.example/i/{incident}",
        "actions": (Link("Acknowledge", f"https://engine.example/i/{incident}?do=ack"),),
    }
    return Notice(**(facts | changes))
