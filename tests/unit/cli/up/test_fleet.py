from itertools import islice, pairwise

from htmengine.cli.up import fleet
from htmengine.incidents.grouping import RARE, Alarm, group
from htmengine.incidents.names import Fleet


def test_the_same_second_has_the_same_value_and_seeds_differ():
    kind = fleet.KINDS[0]
    assert fleet.value(kind, 1000, 7) == fleet.value(kind, 1000, 7)
    assert fleet.value(kind, 1000, 7) != fleet.value(kind, 1000, 8)


def test_history_has_a_sample_of_every_metric_each_second_in_the_order_of_time():
    lines = list(fleet.lines(100, 102, 7))
    assert len(lines) == 3 * len(fleet.KINDS)
    assert [int(line.split()[2]) for line in lines] == sorted(int(line.split()[2]) for line in lines)
    assert {line.split()[0] for line in lines} == {kind.name for kind in fleet.KINDS}


def test_incidents_follow_each_other_without_overlap_and_change_their_metrics_alone():
    incidents = list(islice(fleet.incidents(1000, 7), 30))
    assert all(before.last < after.first for before, after in pairwise(incidents))
    assert incidents[0].first == 1000 + fleet.QUIET_S
    for incident in incidents:
        metrics = {anomaly.metric for anomaly in incident.anomalies}
        for kind in fleet.KINDS:
            usual = round(fleet.value(kind, incident.last, 7), 3)
            changed = fleet.sample(kind, incident.last, 7, incident)
            assert changed == usual or kind.name in metrics


def test_a_cascade_comes_first_and_reaches_one_metric_after_the_other():
    cascade, *rest = islice(fleet.incidents(1000, 7), 2 + fleet.SINGLES)
    begins = [anomaly.first for anomaly in cascade.anomalies]
    assert len(begins) >= 5
    assert begins == sorted(begins)
    assert begins[0] < begins[-1] <= cascade.last
    assert all(len(incident.anomalies) == 1 for incident in rest[:-1])
    assert len(rest[-1].anomalies) > 1
    kind = next(kind for kind in fleet.KINDS if kind.name == cascade.anomalies[-1].metric)
    assert fleet.sample(kind, begins[0], 7, cascade) == round(fleet.value(kind, begins[0], 7), 3)
    assert fleet.sample(kind, begins[-1], 7, cascade) != round(fleet.value(kind, begins[-1], 7), 3)


def test_each_staged_incident_is_found_as_one_of_its_own():
    staged = list(islice(fleet.incidents(1000, 7), 12))
    alarms = [
        Alarm(anomaly.metric, anomaly.first, anomaly.metric, anomaly.first, 1.0, RARE)
        for incident in staged
        for anomaly in incident.anomalies
    ]
    found = group(alarms, Fleet(kind.name for kind in fleet.KINDS))
    assert [{(alarm.name, alarm.timestamp) for alarm in incident} for incident in found] == [
        {(anomaly.metric, anomaly.first) for anomaly in incident.anomalies} for incident in staged
    ]
