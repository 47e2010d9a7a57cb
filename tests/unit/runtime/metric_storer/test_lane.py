"""New metrics wait while known ones go on; what waits keeps its order, and is lost and doubled by no death."""

import pytest

from htmengine.doors.reasons import Reason
from htmengine.messages import Backfill
from htmengine.repository import metrics
from htmengine.runtime.metric_storer import lane
from tests.unit.runtime.metric_storer.storer import Killed, Storer, at, fed, lines


@pytest.fixture(autouse=True)
def one_at_once(monkeypatch):
    monkeypatch.setattr(lane, "AT_ONCE", 1)


@pytest.fixture
def storer(tmp_path):
    return Storer(tmp_path)


def one_each(names, second=1):
    return lines(*(at(second, value=second, name=name) for name in names))


def seconds(storer, name):
    return [value for _, value in storer.rows(name)]


def there(storer, names):
    return "".join(name for name in names if storer.state(name))


def until_nothing_waits(storer):
    steps = 0
    while storer.stage.poll_interval_s == 0.0:
        storer.process()
        steps += 1
        assert steps < 100
    return steps


def test_known_metrics_go_on_while_new_ones_wait(storer):
    uid = storer.monitor("m")
    outcome = storer.process(one_each("abmcde"))
    assert seconds(storer, "m") == [1]
    assert [row[0] for row in fed(outcome)] == [uid]
    assert there(storer, "abcde") == "ab"  # one with what came, and one of those that wait
    storer.process(one_each("m", 2))
    assert seconds(storer, "m") == [1, 2]
    assert there(storer, "abcde") == "abc"
    assert until_nothing_waits(storer) == 2
    assert [seconds(storer, name) for name in "abcde"] == [[1]] * 5


def test_samples_of_a_name_that_waits_stay_behind_each_other(storer):
    for second in range(1, 5):
        storer.process(one_each("abcdefgh", second))
    assert there(storer, "abcdefgh") == "abcde"
    assert seconds(storer, "e") == [1, 2, 3, 4]
    storer.process(one_each("fgh", 5))
    assert seconds(storer, "f") == [1, 2, 3, 4, 5]
    until_nothing_waits(storer)
    assert seconds(storer, "h") == [1, 2, 3, 4, 5]
    assert storer.stage.counters.snapshot()["rejected"] == {}


def test_new_metrics_get_less_while_more_messages_may_wait(storer, monkeypatch):
    monkeypatch.setattr(lane, "AT_ONCE", 10)
    names = [f"metric{number:02}" for number in range(40)]
    created = []
    for most in (1, 1, 2):
        storer.stage.max_messages = most
        storer.process(one_each(names, 1 + len(created)))
        created.append(sum(storer.state(name) is not None for name in names))
    assert created == [2, 3, 13]  # first one with what came; and then one, and ten, of those that wait
    until_nothing_waits(storer)
    assert seconds(storer, names[-1]) == [1, 2, 3]


def test_as_much_is_done_for_new_metrics_as_known_ones_can_wait_for():
    now, done = 0.0, []
    share = lane.LaneShare(lambda: now)
    for cost_s in [0.0001] + [0.002] * 5 + [0.02] * 3 + [0.0001] * 3:
        with share.measured():
            done.append(share.of(500))
            now += 0.01 + cost_s * done[-1]
    assert done[:2] == [500, 500]  # the second takes a second, as nobody could know
    assert done[2:6] == pytest.approx([95] * 4, abs=4)
    assert done[6:9] == [95, 10, 10]  # never less, lest what waits should never come to its turn
    assert done[9:] == [10, 181, 500]
    share.behind = True
    assert share.of(500) == 50


def test_what_came_is_passed_on_before_long_work_for_new_metrics_though_not_for_ever():
    now = 0.0
    share = lane.LaneShare(lambda: now)
    assert [share.is_due(came=True), share.is_due(came=False)] == [True, True]
    with share.measured():
        now += 0.15
    assert [share.is_due(came=True) for _ in range(4)] == [False, True, False, True]
    assert share.is_due(came=False)
    with share.measured():
        now += 0.01
    assert [share.is_due(came=True) for _ in range(2)] == [True, True]


@pytest.mark.parametrize("deaths", [1, 2, 3])
def test_a_death_loses_and_doubles_nothing(storer, deaths):
    bodies = [one_each("abcde", second) for second in (1, 2)]
    storer.dies_at = "metric_storer.committed"
    for _ in range(deaths):
        with pytest.raises(Killed):
            storer.process(*bodies)
        storer.start()
    storer.dies_at = None
    storer.process(*bodies, deliveries=2)
    until_nothing_waits(storer)
    assert [seconds(storer, name) for name in "abcde"] == [[1, 2]] * 5


def test_a_storer_that_starts_finds_what_waits(storer):
    storer.process(one_each("abcde"))
    storer.start()
    storer.process(one_each("edcba", 2))
    until_nothing_waits(storer)
    assert [seconds(storer, name) for name in "abcde"] == [[1, 2]] * 5


def test_what_waits_goes_before_a_history_that_begins(storer):
    def history(second, *, done=False):
        sent = Backfill(metric="e", token="t", done=done)
        return lines(at(second, value=second, name="e"), backfill=sent)

    storer.process(one_each("abcde", 2))
    storer.process(history(1), one_each("e", 5), history(3))
    storer.process(history(4, done=True))
    until_nothing_waits(storer)
    assert seconds(storer, "e") == [2, 3, 4, 5]


def test_samples_stay_in_order_when_others_create_the_metric_meanwhile(storer):
    storer.process(one_each("abcde"))
    with storer.database.write() as conn:
        metrics.create_custom(conn, ["e"])
    storer.process(one_each("e", 2))
    until_nothing_waits(storer)
    assert seconds(storer, "e") == [1, 2]


def test_a_name_that_waits_counts_once(tmp_path):
    storer = Storer(tmp_path, new_series_per_minute=4)
    for second in (1, 2):
        storer.process(one_each("abcdef", second))
    until_nothing_waits(storer)
    assert there(storer, "abcdef") == "abcd"
    assert seconds(storer, "d") == [1, 2]
    assert storer.stage.counters.snapshot()["rejected"][Reason.MANY_NEW]["count"] == 4


def test_names_that_wait_count_among_all_there_may_be(tmp_path):
    storer = Storer(tmp_path, new_series_per_minute=0, max_series=4)
    storer.process(one_each("abcd"))
    storer.time_passes(120)
    storer.process(one_each("xyz", 2))
    until_nothing_waits(storer)
    assert there(storer, "abcdxyz") == "abcd"
