import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from htmengine.incidents.grouping import Alarm, crowd, group, horizon_s, links, quiet_s, windows_s
from htmengine.incidents.names import Fleet
from tests.unit.incidents import naive_grouping

NAMES = ["web.a.cpu", "web.a.load", "web.b.cpu", "web.b.load", "db.latency", "db.locks;dc=x", "queue;dc=x"]
FLEET = Fleet(NAMES)
INTERVALS = [1, 10, 60, 60, 60, 300]
BEGIN = 1_700_000_000


def alarm(name, after_s, interval_s=60):
    return Alarm(name, BEGIN + after_s, name, BEGIN + after_s, interval_s)


def keys(incidents):
    return {frozenset(one[:2] for one in incident) for incident in incidents}


alarms = st.lists(
    st.builds(alarm, st.sampled_from(NAMES), st.integers(0, 6000), st.sampled_from(INTERVALS)),
    max_size=14,
    unique_by=lambda one: one[:2],
)


@settings(max_examples=40)
@given(alarms)
def test_incidents_are_those_of_the_definition(found):
    assert keys(group(found, FLEET)) == naive_grouping.group(found, FLEET)


@given(alarms, st.randoms(use_true_random=False))
def test_the_order_in_which_alarms_come_changes_nothing(found, chance):
    shuffled = chance.sample(found, len(found))
    assert group(shuffled, FLEET) == group(found, FLEET)


@given(alarms, st.integers(0, 13))
def test_another_alarm_never_divides_an_incident(found, left_out):
    fewer = [one for place, one in enumerate(found) if place != left_out]
    whole = group(found, FLEET)
    for incident in group(fewer, FLEET):
        assert any(set(incident) <= set(other) for other in whole)


@settings(max_examples=50)
@given(alarms)
def test_links_seen_from_a_part_of_the_alarms_are_links(found):
    ordered = sorted(found, key=lambda one: one.timestamp)
    incidents = keys(group(found, FLEET))
    part = ordered[len(ordered) // 3 : 2 * len(ordered) // 3]
    for one, other in links(part, FLEET):
        assert any({part[one][:2], part[other][:2]} <= incident for incident in incidents)


def test_two_metrics_of_a_small_service_suffice():
    assert len(group([alarm("web.a.cpu", 0), alarm("web.a.load", 60)], FLEET)) == 1


def test_two_of_a_thousand_metrics_are_a_coincidence():
    fleet = Fleet(f"web.host{number}.cpu" for number in range(1000))
    assert len(group([alarm("web.host1.cpu", 0), alarm("web.host2.cpu", 60)], fleet)) == 2


def test_a_crowd_of_a_thousand_metrics_is_an_incident():
    fleet = Fleet(f"web.host{number}.cpu" for number in range(1000))
    assert len(group([alarm(f"web.host{number}.cpu", 0) for number in range(20)], fleet)) == 1


def test_a_tag_makes_a_group():
    fleet = Fleet([*(f"service{number}.requests" for number in range(500)), "db.locks;dc=x", "queue;dc=x"])
    assert len(group([alarm("db.locks;dc=x", 0), alarm("queue;dc=x", 30)], fleet)) == 1


def test_a_metric_that_was_quiet_begins_another_incident():
    apart = int(quiet_s(60)) + 1
    assert len(group([alarm("web.a.cpu", 0), alarm("web.a.cpu", apart - 1)], FLEET)) == 1
    assert len(group([alarm("web.a.cpu", 0), alarm("web.a.cpu", apart)], FLEET)) == 2


def test_a_cascade_is_one_incident_though_its_ends_are_far_apart():
    minutes = [0, 6, 12, 18]
    names = ["web.a.cpu", "web.a.load", "web.a.cpu", "web.a.load"]
    found = [alarm(name, 60 * minute) for name, minute in zip(names, minutes, strict=True)]
    assert len(group(found, FLEET)) == 1


@pytest.mark.parametrize(
    ("others", "samples", "needed"), [(1, 3, 2), (10, 3, 3), (190, 3, 4), (50_000, 15, 423)]
)
def test_how_many_metrics_are_no_coincidence(others, samples, needed):
    assert crowd(others, samples) == needed


@given(st.integers(0, 100_000), st.integers(1, 1000))
def test_a_larger_group_needs_no_fewer_metrics(others, samples):
    assert 2 <= crowd(others, samples) <= crowd(others + 1000, samples)


@pytest.mark.parametrize("interval", [1, 10, 60, 300, 3600, 86_400])
def test_windows_grow_from_an_interval_to_the_horizon(interval):
    found = list(windows_s(interval))
    assert found == sorted(set(found))
    assert found[-1] == horizon_s(interval)
    assert found[0] == min(interval, horizon_s(interval))


def test_a_storm_of_a_whole_fleet_is_grouped():
    chance = random.Random(3)
    names = [f"dc{number % 10}.host{number % 200}.metric{number}" for number in range(5000)]
    storm = [alarm(name, chance.randint(0, 60)) for name in names]
    assert len(group(storm, Fleet(names))) == 1
