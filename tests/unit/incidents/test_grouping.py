import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.incidents.grouping import (
    RARE,
    UNLIKELY,
    Alarm,
    crowd,
    group,
    horizon_s,
    links,
    quiet_s,
    windows_s,
)
from htmengine.incidents.names import Fleet
from tests.support.examples import examples
from tests.unit.incidents import naive_grouping

NAMES = ["web.a.cpu", "web.a.load", "web.b.cpu", "web.b.load", "db.latency", "db.locks;dc=x", "queue;dc=x"]
FLEET = Fleet(NAMES)
INTERVALS = [1, 10, 60, 60, 60, 300]
BEGIN = 1_700_000_000


def alarm(name, after_s, interval_s=60, one_in=0.0):
    return Alarm(name, BEGIN + after_s, name, BEGIN + after_s, interval_s, one_in)


def keys(incidents):
    return {frozenset(one[:2] for one in incident) for incident in incidents}


alarms = st.lists(
    st.builds(
        alarm,
        st.sampled_from(NAMES),
        st.integers(0, 200).map(lambda place: 30 * place) | st.integers(0, 300),
        st.sampled_from(INTERVALS),
        st.sampled_from([0.0, 2 * RARE]),
    ),
    max_size=14,
    unique_by=lambda one: one[:2],
)


@examples(25)
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


@examples(50)
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


def test_a_host_in_trouble_does_not_draw_in_the_chance_alarms_of_others():
    hosts = [[f"site.host{host}.metric{metric}" for metric in range(20)] for host in range(50)]
    fleet = Fleet(name for host in hosts for name in host)
    trouble = [alarm(name, 0) for name in hosts[0]]
    others = [alarm(hosts[1][0], 0), alarm(hosts[2][0], 60)]
    assert keys(group([*trouble, *others], fleet)) == {
        frozenset(one[:2] for one in trouble),
        *(frozenset([one[:2]]) for one in others),
    }


def test_many_hosts_in_trouble_are_one_incident():
    hosts = [[f"site.host{host}.metric{metric}" for metric in range(20)] for host in range(50)]
    fleet = Fleet(name for host in hosts for name in host)
    assert len(group([alarm(host[0], 0) for host in hosts[:20]], fleet)) == 1


def test_rare_alarms_are_a_crowd_where_others_are_a_coincidence():
    fleet = Fleet(f"web.metric{number}" for number in range(25))
    names = ["web.metric1", "web.metric2"]
    assert len(group([alarm(name, 0) for name in names], fleet)) == 2
    assert len(group([alarm(name, 0, one_in=RARE) for name in names], fleet)) == 1
    assert len(group([alarm(names[0], 0, one_in=RARE), alarm(names[1], 0)], fleet)) == 2


@pytest.mark.parametrize(
    ("metrics", "samples", "needed"), [(0, 3, 1), (1, 3, 1), (10, 3, 2), (190, 3, 3), (50_000, 15, 422)]
)
def test_how_many_alarms_are_no_coincidence(metrics, samples, needed):
    assert crowd(metrics, samples, 1 / 2000, UNLIKELY) == needed


@given(st.integers(0, 100_000), st.integers(1, 1000))
def test_more_metrics_need_no_smaller_crowd(metrics, samples):
    assert 1 <= crowd(metrics, samples, 1 / 2000, 0.01) <= crowd(metrics + 1000, samples, 1 / 2000, 0.01)


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
