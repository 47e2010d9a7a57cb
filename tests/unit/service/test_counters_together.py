"""What several processes of one service have counted, as one."""

from htmengine.service.counters import EXAMPLES, Counters, together


def test_counts_add_up_and_the_newest_refusal_is_shown():
    one, other = Counters(), Counters()
    one.add("rows_stored", 3)
    other.add("rows_stored", 4)
    other.add("metrics_created")
    one.reject("late", ["a 1 2"] * EXAMPLES, door="graphite", peer="one", at=20.0)
    other.reject("late", ["b 1 2"], door="graphite", peer="other", at=10.0)
    found = together([one.snapshot(), other.snapshot()])
    assert (found["rows_stored"], found["metrics_created"]) == (7, 1)
    (refused,) = found["rejected"].values()
    assert (refused["count"], refused["peer"], refused["last"]) == (EXAMPLES + 1, "one", 20.0)
    assert refused["examples"][-1] == "b 1 2"
    assert len(refused["examples"]) == EXAMPLES


def test_one_stays_as_it_is():
    counters = Counters()
    counters.reject("late", ["a 1 2"])
    assert together([counters.snapshot()]) == counters.snapshot()
