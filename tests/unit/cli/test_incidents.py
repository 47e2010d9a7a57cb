import json
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from htmengine.cli import incidents
from htmengine.cli.incidents import GROWTH_S, Follower, Request, block, change_lines, time_of
from htmengine.errors import MisuseError
from htmengine.incidents import store
from tests.unit.cli.test_results import Timer

BEGIN = 1_714_572_192  # 2024-05-01 14:03:12


def metric(name, score, lag=0, sentence="932 is far above the forecast of 410 (usual 380 to 455)"):
    return {
        "uid": name,
        "name": name,
        "first": BEGIN + lag,
        "lag": lag,
        "max": score,
        "reason": "far above its forecast",
        "sentence": sentence,
    }


def incident(id_="i4", *metrics, state="open", count=None, lasts=240, severity="warning"):
    metrics = metrics or (metric("db.latency", 0.7), metric("web.errors", 0.9, 120))
    count = count or len(metrics)
    return {
        "id": id_,
        "state": state,
        "severity": severity,
        "opened": BEGIN,
        "changed": BEGIN + lasts,
        "seq": 1,
        "max": 0.9,
        "metric_count": count,
        "alarm_count": count,
        "first_mover": {"uid": "db.latency", "name": metrics[0]["name"], "time": BEGIN},
        "metrics": list(metrics),
        "sentence": "is part of i1" if state == "merged" else "",
    }


def lines(*arguments):
    return [line for line, _ in block(*arguments)]


def test_the_metrics_of_an_incident_are_told_with_reasons_the_strongest_first():
    assert lines(incident(), 120, 8) == [
        "i4  open  2024-05-01 14:03:12 UTC, for 4 min, 2 metrics, first db.latency",
        "  0.90  +2 min  web.errors  932 is far above the forecast of 410 (usual 380 to 455)",
        "  0.70   first  db.latency  932 is far above the forecast of 410 (usual 380 to 455)",
    ]


def test_a_narrow_terminal_gets_shorter_reasons():
    assert lines(incident(), 60, 8)[1] == "  0.90  +2 min  web.errors  far above its forecast"


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width):
    found = incident("i4", metric("a.very.long.name." * 15, 0.9), metric("b", 0.8, 123_456))
    assert max(map(len, lines(found, width, 8))) <= max(width, 40)


def test_of_many_metrics_the_strongest_are_shown_and_the_others_counted():
    metrics = [metric(f"web.m{number}", 0.5 + number / 100) for number in range(12)]
    found = lines(incident("i4", *metrics, count=40), 120, 3)
    assert [line.split()[2] for line in found[1:4]] == ["web.m11", "web.m10", "web.m9"]
    assert found[4] == "  and 37 metrics more: htmengine incidents i4"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90m", BEGIN - 5400),
        ("90 min", BEGIN - 5400),
        ("1.5h", BEGIN - 5400),
        ("30s", BEGIN - 30),
        ("7d", BEGIN - 7 * 86_400),
        ("2024-05-01T14:03:12", BEGIN),
        ("2024-05-01 14:03:12", BEGIN),
        ("2024-05-01T16:03:12+02:00", BEGIN),
        ("2024-05-01", BEGIN - 50_592),
    ],
)
def test_times_are_told_as_a_time_ago_or_a_date(text, seconds):
    assert time_of(text, clock=lambda: BEGIN) == seconds


@pytest.mark.parametrize("text", ["", "yesterday", "5", "-1h", "h", "2024-13-01"])
def test_what_is_no_time_is_refused_with_an_example(text):
    with pytest.raises(MisuseError) as caught:
        time_of(text)
    assert "90m" in caught.value.hint


REQUEST = Request(pattern=None, since=BEGIN - 86_400, with_lone=False, limit=20, json=False)


def news(follower, *changed):
    return [(what, one["id"]) for what, one in follower.take(changed)]


def test_an_incident_is_told_when_it_opens_grows_and_ends():
    timer = Timer()
    follower = Follower(REQUEST, [], timer)
    assert news(follower, incident()) == [("opened", "i4")]
    assert news(follower, incident(lasts=300)) == []
    timer.now = GROWTH_S
    assert news(follower, incident(count=5)) == [("grew", "i4")]
    assert news(follower, incident(count=5, state="resolved")) == [("resolved", "i4")]
    assert news(follower, incident(count=5, state="resolved")) == []
    assert news(follower, incident(count=6)) == [("opened", "i4")]


def test_an_incident_that_grows_fast_is_told_now_and_then():
    timer = Timer()
    follower = Follower(REQUEST, [], timer)
    news(follower, incident())
    for count in range(3, 9):
        timer.now += 1.0
        assert news(follower, incident(count=count)) == []
    timer.now = GROWTH_S
    [(what, told_of)] = follower.take([])
    assert (what, told_of["metric_count"]) == ("grew", 8)


def test_a_lone_alarm_is_told_once_it_is_more():
    follower = Follower(REQUEST, [], Timer())
    assert news(follower, incident(severity="info")) == []
    assert news(follower, incident()) == [("opened", "i4")]


def test_incidents_that_become_one_are_told_as_that():
    follower = Follower(REQUEST, [incident("i4")], Timer())
    assert news(follower, incident("i4", state="merged"), incident("i5", state="merged")) == [
        ("merged", "i4")
    ]


def test_what_was_shown_before_is_not_told_again():
    timer = Timer()
    follower = Follower(REQUEST, [incident()], timer)
    assert news(follower, incident()) == []
    timer.now = GROWTH_S
    assert news(follower, incident(count=3)) == [("grew", "i4")]


def test_history_before_the_wanted_time_is_not_told():
    follower = Follower(REQUEST._replace(since=BEGIN + 1000), [], Timer())
    assert news(follower, incident(state="resolved")) == []


@pytest.mark.parametrize(
    ("what", "line"),
    [
        (
            "grew",
            "i4  grew to 2 metrics in 4 min, with web.errors: 932 is far above the forecast of 410 (usual 380 to 455)",
        ),
        ("merged", "i4  is part of i1"),
        ("resolved", "i4  is over: 2 metrics in 4 min"),
    ],
)
def test_each_change_is_told_in_a_line(what, line):
    state = "merged" if what == "merged" else "open"
    assert [text for text, _ in change_lines(what, incident(state=state), 200)] == [line]


def test_documents_are_printed_as_they_are_stored(monkeypatch, capsys):
    found = [incident("i4"), incident("i5", state="resolved")]
    monkeypatch.setattr(store, "list_incidents", lambda *_, **__: found)
    monkeypatch.setattr(store, "count", lambda *_, **__: 3)
    incidents.show(NoContext(), REQUEST._replace(json=True))
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == found


def test_the_terminal_says_how_many_there_are_and_how_many_alarms_came_alone(monkeypatch, capsys):
    found = [incident("i5", state="resolved"), incident("i4")]
    monkeypatch.setattr(store, "list_incidents", lambda *_, **__: found)
    monkeypatch.setattr(store, "count", lambda *_, **__: 3)
    incidents.show(NoContext(), REQUEST)
    said = capsys.readouterr()
    out = said.out.splitlines()
    assert out[0] == "1 incident open, 1 over since 2024-04-30 14:03:12 UTC."
    assert [line.split()[0] for line in out if line.startswith("i")] == ["i4", "i5"]
    assert said.err.strip() == "3 alarms came alone, and may be chance: --all shows them."


class NoContext:
    """Stands for an installation whose repository nothing uses."""

    database = SimpleNamespace(read=nullcontext)
