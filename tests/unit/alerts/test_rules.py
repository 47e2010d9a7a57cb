import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.alerts.rules import AlarmFacts, Match, Rule, Rules, Silenced, followed, judge, matching_score
from htmengine.alerts.windows import Span


def fact(uid="a", time=0, score=0.6, value=10.0, **more):
    return AlarmFacts(uid, f"web.{uid}", time, score, value, **more)


THREE = [fact("a", 0, 0.6), fact("a", 60, 0.7), fact("b", 120, 0.8)]


@pytest.mark.parametrize(
    ("rule", "time"),
    [
        (Rule("r"), 0),
        (Rule("r", min_score=0.65), 60),
        (Rule("r", min_score=0.9), None),
        (Rule("r", rows=2), 60),
        (Rule("r", rows=4), None),
        (Rule("r", metrics=2), 120),
        (Rule("r", rows=2, metrics=2), 60),  # one of both is enough
        (Rule("r", rows=9, metrics=2), 120),
        (Rule("r", metrics=2, min_score=0.75), None),
        (Rule("r", fits=lambda name: name == "web.b"), 120),
    ],
)
def test_a_rule_tells_with_the_alarm_that_is_enough(rule, time):
    said = judge(rule, THREE)
    assert (said.time if said else None) == time


@pytest.mark.parametrize(
    ("rule", "alarm", "counts"),
    [
        (Rule("r", direction="up"), fact(direction="up"), True),
        (Rule("r", direction="up"), fact(direction="down"), False),
        (Rule("r", direction="down"), fact(direction="pattern"), False),
        (Rule("r"), fact(direction="pattern"), True),
        (Rule("r", causes=frozenset({"jump"})), fact(cause="jump"), True),
        (Rule("r", causes=frozenset({"jump"})), fact(cause="error"), False),
        (Rule("r", min_absolute=5), fact(value=10, forecast=5.0), True),
        (Rule("r", min_absolute=5), fact(value=10, forecast=14.0), False),
        (Rule("r", min_percent=50), fact(value=15, forecast=10.0), True),
        (Rule("r", min_percent=50), fact(value=-14, forecast=-10.0), False),
        (Rule("r", min_absolute=1, min_percent=50), fact(value=12, forecast=10.0), False),
        (Rule("r", min_absolute=5), fact(value=10, forecast=None), True),  # nobody knows how far it is off
    ],
)
def test_an_alarm_counts_where_it_fulfils_all_conditions(rule, alarm, counts):
    assert isinstance(judge(rule, [alarm]), Match) == counts


def test_alarms_of_a_maintenance_do_not_count_and_those_behind_it_do():
    window = Span("patching", 0, 100)
    rule = Rule("r", maintenance=(window,), rows=1)
    assert judge(rule, THREE) == Match(rule, 120, frozenset({"b"}))
    assert judge(rule, THREE[:2]) == Silenced(rule, "maintenance: patching", frozenset({"a"}))


def test_outside_of_its_active_times_a_rule_is_silent():
    rule = Rule("r", active=(Span("day", 60, 100), Span("evening", 100, 110)))
    assert judge(rule, THREE) == Match(rule, 60, frozenset({"a"}))
    assert judge(rule, THREE[2:]) == Silenced(rule, "outside of its active times", frozenset({"b"}))


def test_a_metric_that_cools_down_does_not_count():
    def cooling(_rule, uid, _time):
        return "cool-down" if uid == "a" else None

    assert judge(Rule("r", rows=1), THREE, cooling=cooling).time == 120
    assert judge(Rule("r", metrics=2), THREE, cooling=cooling).reason == "cool-down"


def test_the_first_rule_that_says_anything_decides_or_all_are_followed():
    rules = (
        Rule("none", min_score=0.95),
        Rule("silent", fits=lambda name: name == "web.a", maintenance=(Span("m", 0, 999),)),
        Rule("everything"),
    )
    assert [
        [one.rule.name for one in found] for found in followed(Rules(rules, "first"), THREE, thresholds={})
    ] == [[], ["silent"]]
    assert [
        [one.rule.name for one in found] for found in followed(Rules(rules, "all"), THREE, thresholds={})
    ] == [["everything"], ["silent"]]


def test_the_score_that_a_budget_takes_holds_instead_of_the_rule_s_own():
    rules = Rules((Rule("r", budget=1.0),))
    assert followed(rules, THREE, thresholds={"r": 0.81})[0] == []
    assert followed(rules, THREE, thresholds={"r": 0.8})[0][0].time == 120


alarms = st.lists(
    st.builds(
        fact,
        uid=st.sampled_from("abc"),
        time=st.integers(0, 9),
        score=st.floats(0.5, 1),
        direction=st.sampled_from(["up", "down"]),
    ),
    max_size=8,
).map(lambda found: sorted(found, key=lambda alarm: alarm.time))


def counting(rows, metrics, direction, maintenance):
    return Rule("r", rows=rows, metrics=metrics, direction=direction, maintenance=maintenance)


rules = st.builds(
    counting,
    st.none() | st.integers(1, 4),
    st.none() | st.integers(1, 4),
    st.sampled_from(["both", "up"]),
    st.sampled_from([(), (Span("m", 2, 5),)]),
)


@given(rule=rules, found=alarms, least=st.floats(0.5, 1))
def test_a_rule_tells_of_an_incident_exactly_up_to_its_matching_score(rule, found, least):
    highest = matching_score(rule, found)
    said = judge(rule, found, min_score=least)
    assert isinstance(said, Match) == (highest is not None and least <= highest)
