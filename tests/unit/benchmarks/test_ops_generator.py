"""What the generated series promise."""

import numpy as np
import pytest

from benchmarks.ops.events import KINDS
from benchmarks.ops.generator import generate
from benchmarks.ops.signals import FAMILIES


@pytest.fixture(scope="module")
def many():
    return generate(83, seed=1)


def test_the_same_seed_gives_the_same_series_however_many_are_drawn(many):
    for one, again in zip(many[:5], generate(5, seed=1), strict=True):
        assert (one.family, one.events) == (again.family, again.events)
        np.testing.assert_array_equal(one.timestamps, again.timestamps)
        np.testing.assert_array_equal(one.values, again.values)


def test_another_seed_gives_other_series(many):
    other = generate(1, seed=2)[0]
    assert len(other.values) != len(many[0].values) or (other.values != many[0].values).any()


def test_values_are_finite_and_timestamps_rise(many):
    assert all(np.isfinite(one.values).all() for one in many)
    assert all((np.diff(one.timestamps) > 0).all() for one in many)
    assert {np.diff(one.timestamps).min() for one in many} == {60.0, 300.0}


def test_some_series_lack_samples_and_some_do_not(many):
    gaps = [np.diff(one.timestamps).max() > np.diff(one.timestamps).min() for one in many]
    assert any(gaps)
    assert not all(gaps)


def test_each_series_has_one_to_ten_events_behind_probation_that_do_not_touch(many):
    for one in many:
        assert 1 <= len(one.events) <= 10
        assert one.events[0].first >= one.probation
        assert all(event.first <= event.last < len(one.values) - 7 for event in one.events)
        assert all(b.first - a.last > 7 for a, b in zip(one.events, one.events[1:], strict=False))


def test_all_families_and_all_kinds_of_events_occur(many):
    assert {one.family for one in many} == set(FAMILIES)
    assert {event.kind for one in many for event in one.events} == set(KINDS)


def test_the_shares_of_the_kinds_and_of_the_families_add_up():
    assert sum(kind.share for kind in KINDS.values()) == pytest.approx(1.0)
    assert sum(share for _, share in FAMILIES.values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("family", "low", "high"), [("saturation", 0, 100), ("hit ratio", 0, 1), ("latency", 0, np.inf)]
)
def test_values_stay_within_what_the_family_can_show(many, family, low, high):
    for one in many:
        if one.family == family:
            assert one.values.min() >= low
            assert one.values.max() <= high


def test_a_counter_never_falls(many):
    counters = [one for one in many if one.family == "counter"]
    assert counters
    assert all((np.diff(one.values) >= 0).all() for one in counters)
