import pytest

from htmengine.doors.reasons import Reason
from htmengine.doors.samples import Refusals
from htmengine.service.counters import EXAMPLES, MAX_PEER, Counters


@pytest.fixture
def counters():
    return Counters(clock=iter(range(100, 200)).__next__)


def test_of_what_is_refused_the_newest_is_told_with_its_peer_and_time(counters):
    counters.reject(Reason.VALUE, ["a x 1"], peer="10.0.0.1")
    counters.reject(Reason.VALUE, ["b x 1"], 3, peer="10.0.0.2")
    (found,) = counters.snapshot()["rejected"].values()
    assert found == {"count": 4, "examples": ["a x 1", "b x 1"], "peer": "10.0.0.2", "last": 101}
    assert counters.rejected == 4


def test_a_peer_that_is_not_known_is_not_that_of_an_earlier_one(counters):
    counters.reject(Reason.VALUE, ["a x 1"], peer="10.0.0.1")
    counters.reject(Reason.VALUE, ["b x 1"], at=7.5)
    assert counters.snapshot()["rejected"][Reason.VALUE]["peer"] is None
    assert counters.snapshot()["rejected"][Reason.VALUE]["last"] == 7.5


def test_doors_count_apart_and_one_that_nobody_knows_gets_no_count_of_its_own(counters):
    for door in ("graphite-text", "statsd", None, "made-up-1", "made-up-2"):
        counters.reject(Reason.VALUE, ["a x 1"], door=door)
    assert {reason: found["count"] for reason, found in counters.snapshot()["rejected"].items()} == {
        f"graphite-text: {Reason.VALUE}": 1,
        f"statsd: {Reason.VALUE}": 1,
        Reason.VALUE: 3,
    }


def test_what_is_kept_is_bounded(counters):
    for at in range(100):
        counters.reject(Reason.VALUE, ["x" * 10_000] * 9, peer="p" * 10_000, at=at)
    (found,) = counters.snapshot()["rejected"].values()
    assert found["count"] == 900
    assert len(found["examples"]) == EXAMPLES
    assert max(map(len, found["examples"])) <= 200
    assert len(found["peer"]) <= MAX_PEER


def test_what_a_door_refused_is_counted_with_the_newest_of_each_reason(counters):
    refusals = Refusals()
    for n in range(3):
        refusals.add(Reason.VALUE, f"m {n}x 1")
    refusals.add(Reason.QUEUE_FULL, count=7)
    counters.reject_all(refusals, "influx", "10.0.0.1")
    found = counters.snapshot()["rejected"]
    assert {reason: (one["count"], one["examples"]) for reason, one in found.items()} == {
        f"influx: {Reason.VALUE}": (3, ["m 2x 1"]),
        f"influx: {Reason.QUEUE_FULL}": (7, []),
    }
