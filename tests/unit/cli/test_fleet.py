from itertools import islice, pairwise

from htmengine.cli import fleet


def test_the_same_second_has_the_same_value_and_seeds_differ():
    kind = fleet.KINDS[0]
    assert fleet.value(kind, 1000, 7) == fleet.value(kind, 1000, 7)
    assert fleet.value(kind, 1000, 7) != fleet.value(kind, 1000, 8)


def test_history_has_a_sample_of_every_metric_each_second_in_the_order_of_time():
    lines = list(fleet.lines(100, 102, 7))
    assert len(lines) == 3 * len(fleet.KINDS)
    assert [int(line.split()[2]) for line in lines] == sorted(int(line.split()[2]) for line in lines)
    assert {line.split()[0] for line in lines} == {kind.name for kind in fleet.KINDS}


def test_anomalies_follow_each_other_without_overlap_and_change_their_metric_alone():
    incidents = list(islice(fleet.incidents(1000, 7), 30))
    assert all(before.last < after.first for before, after in pairwise(incidents))
    assert incidents[0].first == 1000 + fleet.QUIET_S
    for incident in incidents:
        for kind in fleet.KINDS:
            usual = round(fleet.value(kind, incident.first, 7), 3)
            changed = fleet.sample(kind, incident.first, 7, incident)
            assert (changed != usual) == (kind.name == incident.metric)
