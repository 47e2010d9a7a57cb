"""Live samples wait while a metric's history is sent."""

import pytest

from htmengine import messages
from htmengine.bus import QueueStatus
from htmengine.repository import backfill
from htmengine.runtime.metric_storer.backfill import TIMEOUT_S
from tests.unit.runtime.metric_storer.storer import NOW, Killed, at, fed, lines


def history(*seconds, token="t", done=False):
    return lines(
        *[at(second) for second in seconds],
        backfill=messages.Backfill(metric="m", token=token, done=done),
    )


def seconds(storer, name="m"):
    return [second - NOW + 100_000 for second, _ in storer.rows(name)]


def held(storer):
    with storer.database.read() as conn:
        return backfill.held(conn, "m", 1000).timestamps


def test_live_samples_wait_until_the_history_is_there(storer):
    storer.process(history(1, 2))
    storer.process(lines(at(92), at(91), at(5, name="other")))
    assert seconds(storer) == [1, 2]
    assert seconds(storer, "other") == [5]
    storer.process(history(3, 4, done=True))
    assert seconds(storer) == [1, 2, 3, 4, 91, 92]
    assert held(storer) == []
    storer.process(lines(at(93)))
    assert seconds(storer) == [1, 2, 3, 4, 91, 92, 93]


def test_rows_of_a_history_and_what_waited_for_it_go_to_the_model(storer):
    storer.monitor("m")
    storer.process(history(1), lines(at(91)))
    outcome = storer.process(history(2, done=True))
    assert [rowid for _, rowid, _, _ in fed(outcome)] == [2, 3]


@pytest.mark.parametrize("dies_in", range(4))
def test_a_death_during_a_backfill_loses_and_doubles_nothing(storer, dies_in):
    bodies = [history(1, 2), lines(at(91)), history(3, done=True), lines(at(92))]
    for number, body in enumerate(bodies):
        if number == dies_in:
            storer.dies_at = "metric_storer.committed"
            with pytest.raises(Killed):
                storer.process(body)
            storer.dies_at = None
            storer.start()
            storer.process(body, deliveries=2)
        else:
            storer.process(body)
    assert seconds(storer) == [1, 2, 3, 91, 92]
    assert held(storer) == []


def test_a_batch_of_a_whole_backfill_that_comes_again_one_by_one_changes_nothing(storer):
    bodies = [history(1), lines(at(91)), history(2, done=True), lines(at(92))]
    storer.dies_at = "metric_storer.committed"
    with pytest.raises(Killed):
        storer.process(*bodies)
    storer.dies_at = None
    storer.start()
    for body in bodies:
        storer.process(body, deliveries=2)
    assert seconds(storer) == [1, 2, 91, 92]
    assert held(storer) == []


def test_a_backfill_whose_sender_died_ends_by_itself(storer):
    storer.process(history(1), lines(at(91)))
    storer.time_passes(TIMEOUT_S - 1)
    storer.process()
    assert seconds(storer) == [1]
    storer.time_passes(6)
    storer.process(*ended(storer))
    assert seconds(storer) == [1, 91]
    assert held(storer) == []
    storer.process(lines(at(92)))
    assert seconds(storer) == [1, 91, 92]


def ended(storer):
    """Return what the storer puts into its own queue where a backfill's sender has died."""
    bodies = [body for queue, body, *_ in storer.process().best_effort if queue == "data"]
    assert len(bodies) == 1
    return bodies


def test_an_end_that_a_storer_tells_twice_changes_nothing(storer):
    storer.process(history(1), lines(at(91)))
    storer.time_passes(TIMEOUT_S)
    first = ended(storer)
    storer.time_passes(10)
    second = ended(storer)
    storer.process(*first, lines(at(92)), *second)
    assert seconds(storer) == [1, 91, 92]
    assert held(storer) == []


def test_every_message_of_a_backfill_renews_it(storer):
    for second in range(1, 5):
        storer.process(history(second))
        storer.process(lines(at(90 + second)))
        storer.time_passes(TIMEOUT_S - 10)
        storer.process()
    assert seconds(storer) == [1, 2, 3, 4]


def test_a_backfill_that_waits_in_the_queue_is_not_over(storer):
    storer.process(history(1), lines(at(91)))
    storer.time_passes(1000)
    storer.queues = [QueueStatus("data", 5, 0, 990.0, 1)]
    storer.process()
    assert seconds(storer) == [1]


def test_a_death_while_a_backfill_is_ended_loses_nothing(storer):
    storer.process(history(1), lines(at(91)))
    storer.time_passes(TIMEOUT_S)
    end = ended(storer)
    storer.dies_at = "metric_storer.committed"
    with pytest.raises(Killed):
        storer.process(*end)
    storer.dies_at = None
    storer.start()
    storer.process(*end, deliveries=2)
    assert seconds(storer) == [1, 91]


@pytest.mark.parametrize("step", [300, 86_400, -86_400])
def test_a_clock_that_is_set_ends_no_backfill(storer, step):
    storer.process(history(1, 2))
    storer.process(lines(at(91)))
    storer.now += step
    storer.time_passes(TIMEOUT_S - 1)
    storer.process()
    storer.process(history(3, 4))
    assert seconds(storer) == [1, 2, 3, 4]
    storer.process(history(5, done=True))
    assert seconds(storer) == [1, 2, 3, 4, 5, 91]


@pytest.mark.parametrize("step", [86_400, -86_400])
def test_a_backfill_whose_sender_died_ends_though_the_clock_is_set(storer, step):
    storer.process(history(1), lines(at(91)))
    storer.now += step
    storer.time_passes(TIMEOUT_S)
    storer.process(*ended(storer))
    assert seconds(storer) == [1, 91]


def test_a_storer_that_starts_gives_a_backfill_its_time(storer):
    storer.process(history(1), lines(at(91)))
    storer.time_passes(3600)
    storer.start()
    storer.process()
    assert seconds(storer) == [1]
    storer.time_passes(TIMEOUT_S)
    storer.process(*ended(storer))
    assert seconds(storer) == [1, 91]
