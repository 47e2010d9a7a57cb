import pytest

from htmengine.alerts import budget
from htmengine.alerts.budget import WEEK_S
from htmengine.alerts.preview import budget_curve, preview
from htmengine.alerts.rules import Rule, Rules
from htmengine.alerts.windows import Span
from tests.unit.alerts.world import FakeTarget
from tests.unit.incidents.alarming import BEGIN

HOUR_S = 3600
DAY_S = 86_400


@pytest.fixture
def days(world):
    """Give a fleet with an incident each day of a week, graver by the day, the last two of one metric and close."""
    for day in range(7):
        world.alarm("web.0", day * DAY_S, score=0.5 + 0.05 * day)
        world.alarm("web.1", day * DAY_S + 60, score=0.5 + 0.05 * day)
    world.alarm("db.0", 6 * DAY_S + 4 * HOUR_S)
    world.alarm("db.0", 6 * DAY_S + 6 * HOUR_S)
    world.at(7 * DAY_S)
    world.write()
    return world


def previewed(world, *rules, since=0, mode="first"):
    with world.database.read() as conn:
        return preview(conn, Rules(rules, mode), BEGIN + since, world.clock.now)


def test_a_preview_lists_what_would_have_been_told_of(days):
    found = previewed(days, Rule("pairs", metrics=2, targets=("ops",), severity="critical"))
    assert [(one.incident, one.rule, one.severity, one.targets) for one in found.messages] == [
        (f"i{number}", "pairs", "critical", ("ops",)) for number in range(1, 8)
    ]
    assert [one.time for one in found.messages] == [BEGIN + day * DAY_S + 60 for day in range(7)]
    assert (found.incidents, found.first) == (9, BEGIN)
    assert previewed(days, Rule("pairs", metrics=2), since=3 * DAY_S).incidents == 6


def test_a_preview_knows_times_and_cool_downs(days):
    patching = Span("patching", BEGIN, BEGIN + DAY_S)
    found = previewed(days, Rule("all", maintenance=(patching,), cooldown_s=3 * HOUR_S))
    assert [one.incident for one in found.messages] == [f"i{number}" for number in range(2, 9)]
    assert found.silenced == {"maintenance: patching": 1, "cool-down": 1}


def test_a_preview_says_what_is_told_live(world):
    rules = Rules((Rule("r", metrics=2, min_score=0.6, targets=("ops",), cooldown_s=2 * HOUR_S),))
    ops = FakeTarget("ops")
    world.use(ops, rules=rules)
    world.write()
    for number, (after_h, score) in enumerate(
        [(0, 0.7), (1.5, 0.7), (5, 0.55), (9, 0.9), (10.5, 0.6), (14, 0.6)]
    ):
        after_s = int(after_h * HOUR_S)
        world.alarm("web.0", after_s, score=score)
        world.alarm("web.1", after_s + 60, score=score)
        world.work(after_s + 70 + number)
    found = previewed(world, *rules.rules)
    assert [one.incident for one in found.messages] == [
        one.incident for one in ops.taken if one.kind == "opened"
    ]
    assert len(found.messages) == 3


def test_a_budget_takes_the_score_that_keeps_it(days):
    rule = Rule("pairs", metrics=2, budget=3.0, targets=("ops",))
    found = previewed(days, rule)
    assert [one.incident for one in found.messages] == ["i5", "i6", "i7"]
    assert 0.65 < found.thresholds["pairs"] <= 0.7


def test_a_curve_falls_from_all_incidents_to_none(days):
    with days.database.read() as conn:
        curve = budget_curve(conn, Rule("pairs", metrics=2), days.clock.now, 2.0)
    assert curve.weeks == 1.0
    assert (curve.points[0].min_score, curve.points[0].per_week) == (0.5, 7.0)
    assert (curve.points[-1].min_score, curve.points[-1].per_week) == (1.0, 0.0)
    assert all(
        one.per_week >= other.per_week for one, other in zip(curve.points, curve.points[1:], strict=False)
    )
    assert sum(score >= curve.min_score for score in (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)) == 2


@pytest.mark.parametrize(
    ("scores", "allowed", "weeks", "kept"),
    [
        ([], 2, 1.0, 0),
        ([0.6, 0.7], 2, 1.0, 2),
        ([0.6, 0.7, 0.8], 2, 1.0, 2),
        ([0.6, 0.7, 0.8], 0.5, 4.0, 2),
        ([0.6, 0.7, 0.8], 0.5, 1.0, 0),
        ([0.6, 0.8, 0.8], 1, 1.0, 0),  # equal ones go together
        ([1.0, 1.0, 1.0], 1, 1.0, 3),  # there is no higher score
    ],
)
def test_of_the_scores_at_most_as_many_are_left_as_the_budget_allows(scores, allowed, weeks, kept):
    least = budget.threshold(scores, allowed, weeks)
    assert sum(score >= least for score in scores) == kept


def test_a_budget_follows_what_the_last_weeks_were_like(world):
    rule = Rule("pairs", metrics=2, budget=1.0)
    for week in range(8):
        for number in range(10 if week < 4 else 2):
            after_s = int(week * WEEK_S + number * 12 * HOUR_S)
            world.alarm("web.0", after_s, score=0.55 + number / 100)
            world.alarm("web.1", after_s + 60, score=0.55 + number / 100)
    world.at(8 * WEEK_S)
    world.write()
    with world.database.read() as conn:
        noisy = budget.thresholds(conn, Rules((rule,)), BEGIN + 4 * WEEK_S)["pairs"]
        calm = budget.thresholds(conn, Rules((rule,)), BEGIN + 8 * WEEK_S)["pairs"]
    assert noisy > 0.63
    assert calm <= 0.56
