import pytest

from benchmarks.incidents import KINDS, RULES, Chance, Shape, calm, staged

SHAPE = Shape(services=3, hosts=2, metrics=8, interval_s=60)


def test_a_perfect_rule_has_perfect_numbers():
    truth = {}

    def remembering(chance, begin):
        found = KINDS[0](chance, begin)
        truth.update({one[:2]: number for number, own in enumerate(found, len(truth)) for one in own})
        return found

    def perfect(alarms, _fleet):
        own = {}
        for one in sorted(alarms, key=lambda one: one.timestamp):
            own.setdefault(truth.get(one[:2], one[:2]), []).append(one)
        return list(own.values())

    found = staged(SHAPE, perfect, remembering, count=3, seed=1)
    assert found == {"completeness": 1.0, "purity": 1.0, "first_mover": 1.0}


def test_a_rule_that_joins_everything_is_complete_and_impure():
    found = staged(
        SHAPE, lambda alarms, _: [sorted(alarms, key=lambda one: one.timestamp)], KINDS[0], count=3, seed=1
    )
    assert found["completeness"] == 1.0
    assert found["purity"] < 0.5


def test_a_rule_that_joins_nothing_is_pure_and_incomplete():
    found = staged(SHAPE, lambda alarms, _: [[one] for one in alarms], KINDS[0], count=3, seed=1)
    assert found["purity"] == 1.0
    assert found["completeness"] < 0.2


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_stages_alarms_of_several_metrics(kind):
    for own in kind(Chance(SHAPE, 1), 10_000.0):
        assert len({one.name for one in own}) >= 3
        assert min(one.timestamp for one in own) >= 10_000
        assert {one.name for one in own} <= set(SHAPE.names())


def test_a_calm_fleet_is_counted_by_the_day():
    found = calm(SHAPE, lambda alarms, _: [[one] for one in alarms], days=5, seed=1)
    assert found["lone_a_day"] == found["alarms_a_day"] > 0
    assert found["largest"] == 1
    assert RULES.keys() == {"chance", "prefix"}
