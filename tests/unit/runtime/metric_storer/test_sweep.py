import math

from hypothesis import given
from hypothesis import strategies as st

from htmengine.bus import QueueStatus
from htmengine.repository.metrics import MetricState
from htmengine.repository.status import MetricStatus
from htmengine.runtime.metric_storer.sweep import Sweep, waiting_in

TIMEOUT_S = 5.0


def behind(uid="m", scored_rowid=3, *, generation=0, status=MetricStatus.ACTIVE):
    return MetricState(uid, uid, "custom", status, generation, 0, 9, scored_rowid, 1000)


def choose(sweep, now, *states, waiting_s=0.0):
    return [state.uid for state in sweep.choose(states, lambda uid: waiting_s, now)]


def test_a_metric_is_asked_for_when_it_has_stood_still_for_the_timeout():
    sweep = Sweep(TIMEOUT_S)
    assert choose(sweep, 0, behind()) == []
    assert choose(sweep, 4, behind()) == []
    assert choose(sweep, 5, behind()) == ["m"]


def test_a_metric_that_moves_is_not_asked_for():
    sweep = Sweep(TIMEOUT_S)
    for now in range(0, 100, 5):
        assert choose(sweep, now, behind(scored_rowid=now)) == []


def test_another_generation_or_status_is_movement():
    sweep = Sweep(TIMEOUT_S)
    choose(sweep, 0, behind(status=MetricStatus.CREATE_PENDING))
    assert choose(sweep, 5, behind()) == []
    assert choose(sweep, 9, behind(generation=1)) == []
    assert choose(sweep, 14, behind(generation=1)) == ["m"]


def test_a_metric_is_not_asked_for_while_its_sample_may_be_waiting():
    sweep = Sweep(TIMEOUT_S)
    choose(sweep, 0, behind())
    assert choose(sweep, 10, behind(), waiting_s=6.0) == []
    assert choose(sweep, 10, behind(), waiting_s=math.inf) == []
    assert choose(sweep, 11, behind(), waiting_s=6.0) == ["m"]


def test_there_is_one_request_until_it_had_time_and_the_next_ones_are_rarer():
    sweep = Sweep(TIMEOUT_S)
    asked = [now for now in range(0, 2000, 5) if choose(sweep, now, behind())]
    assert asked == [5, 15, 35, 75, 155, 315, 635, 955, 1275, 1595, 1915]


def test_a_metric_that_moved_after_a_request_gets_the_full_timeout_again():
    sweep = Sweep(TIMEOUT_S)
    choose(sweep, 0, behind())
    assert choose(sweep, 5, behind()) == ["m"]
    assert choose(sweep, 10, behind(scored_rowid=4)) == []
    assert choose(sweep, 15, behind(scored_rowid=4)) == ["m"]


def test_a_suspect_gets_no_timeout_but_waits_for_what_is_queued():
    sweep = Sweep(TIMEOUT_S)
    sweep.suspect(["m"])
    assert sweep.suspects
    assert choose(sweep, 100, behind(), behind("n"), waiting_s=2.0) == []
    assert not sweep.suspects
    assert choose(sweep, 101, behind(), behind("n"), waiting_s=2.0) == []
    assert choose(sweep, 102, behind(), behind("n"), waiting_s=2.0) == ["m"]
    other = Sweep(TIMEOUT_S)
    other.suspect(["m"])
    assert choose(other, 0, behind()) == ["m"]


def test_a_sweep_asks_for_a_bounded_number_and_the_next_goes_on():
    sweep = Sweep(TIMEOUT_S, most=2)
    states = [behind(uid) for uid in "abcde"]
    choose(sweep, 0, *states)
    assert [choose(sweep, now, *states) for now in (5, 6, 7)] == [["a", "b"], ["c", "d"], ["e"]]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30), st.booleans()), max_size=60))
def test_no_metric_has_two_requests_within_what_is_waiting(history):
    sweep = Sweep(TIMEOUT_S)
    now, last = 0, {}
    for step, waiting, moves in history:
        now += step
        scored = now if moves else 3
        for uid in choose(sweep, now, behind(scored_rowid=scored), waiting_s=waiting):
            mark = scored
            if last.get(uid, (None, 0))[0] == mark:
                assert now - last[uid][1] >= TIMEOUT_S + waiting
            last[uid] = (mark, now)


def test_what_waits_in_several_queues_waits_together():
    statuses = [
        QueueStatus("input", 1, 0, 2.0, 1),
        QueueStatus("results", 0, 3, 1.5, 1),
        QueueStatus("empty", 0, 0, None, 1),
        QueueStatus("other", 5, 5, 100.0, 1),
    ]
    assert waiting_in(statuses, ["input", "results", "empty"]) == 3.5
    assert waiting_in(statuses, ["empty"]) == 0
    assert waiting_in([QueueStatus("input", 1, 0, None, 1)], ["input"]) == math.inf


def test_a_metric_stands_still_from_one_pass_to_the_next_whatever_parts_these_have():
    sweep = Sweep(TIMEOUT_S)

    def part(now, *uids, is_last=False):
        chosen = sweep.choose([behind(uid) for uid in uids], lambda uid: 0.0, now, is_last=is_last)
        return [state.uid for state in chosen]

    assert part(0, "a") == part(1, "b", is_last=True) == []
    assert part(5, "a") == ["a"]
    assert part(5.5, "b", is_last=True) == []
    assert part(6, "a", "b") == ["b"]
    assert part(7, is_last=True) == []
    assert part(16, "a") == ["a"]
    assert part(17, is_last=True) == part(18, is_last=True) == []  # neither lags
    assert part(30, "a", "b", is_last=True) == []
