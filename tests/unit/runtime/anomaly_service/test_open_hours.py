"""Hours are summed up as scores come, and each row is counted once, whatever happens."""

import math

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from sqlalchemy import delete

from htmengine.repository import hours, metrics, schema, series
from htmengine.repository.errors import RepositoryUnavailable
from htmengine.runtime.anomaly_service import open_hours
from htmengine.runtime.anomaly_service.stage import AnomalyStage
from tests.support.examples import examples
from tests.unit.repository.test_hours import expected
from tests.unit.runtime.anomaly_service.scored import START, alarming

ROWS = 300  # one a minute, the first a minute after a full hour
ALARMS = range(1, ROWS, 37)


def some(at, uid, first, last):
    rowids = range(first, last + 1)
    return alarming(at.scores(uid, *rowids), *(rowid for rowid in rowids if rowid in ALARMS))


def naive(last):
    rows = [
        (START + 60 * rowid, float(rowid), 0.75 if rowid in ALARMS else 0.25) for rowid in range(1, last + 1)
    ]
    return expected(rows)


def stored(at, uid):
    with at.database.read() as conn:
        return hours.stored(conn, uid, -math.inf, math.inf)


def stored_sums(at, uid):
    with at.database.read() as conn:
        return series.hours_between(conn, uid, -math.inf, math.inf)


def test_an_hour_is_stored_with_the_first_scores_behind_it_and_no_row_is_read(at):
    uid, other = at.monitored("m", ROWS), at.monitored("n", ROWS)
    at.give(some(at, uid, 1, 59), some(at, other, 1, 200))
    assert stored(at, uid) == []
    assert stored(at, other) == naive(179)
    at.give(some(at, uid, 60, 60))
    assert stored(at, uid) == naive(59)
    at.stage.settle()
    assert "rows_summed_up" not in at.stage.counters.snapshot()
    assert stored_sums(at, other)[:3] == naive(179)


def test_an_hour_that_was_not_seen_whole_is_summed_up_from_its_rows(at):
    uid = at.monitored("m", ROWS)
    at.give(some(at, uid, 1, 100))
    at.stage = at.new_stage()
    at.stage.settle()
    at.give(some(at, uid, 101, 250))
    assert stored(at, uid) == naive(59)
    at.stage.settle()
    assert stored(at, uid) == naive(239)
    at.give(some(at, uid, 251, 300))
    assert stored(at, uid) == naive(299)
    assert at.stage.counters.snapshot()["rows_summed_up"] == 180


def test_metrics_beyond_those_that_memory_is_for_are_summed_up_from_their_rows(at, monkeypatch):
    monkeypatch.setattr(open_hours, "MAX_METRICS", 1)
    first, second = at.monitored("a", ROWS), at.monitored("b", ROWS)
    at.give(some(at, first, 1, 100), some(at, second, 1, 100))
    assert (stored(at, first), stored(at, second)) == (naive(59), [])
    at.stage.settle()
    assert stored(at, second) == naive(59)


def test_an_hour_with_values_beyond_what_counts_is_summed_up_from_its_rows(at):
    uid = at.monitored("m", 100)
    with at.database.write() as conn:
        conn.execute(
            schema.metric_data.update().where(schema.metric_data.c.rowid == 5).values(metric_value=1e308)
        )
    message = some(at, uid, 1, 100)
    message.values[4] = 1e308
    at.give(message)
    assert stored(at, uid) == []
    at.stage.settle()
    (hour,) = stored(at, uid)
    assert (hour.max_value, hour.mean_value) == (1e308, pytest.approx(1e300 / 59))


def test_a_metric_that_is_monitored_again_counts_its_rows_anew(at):
    uid = at.monitored("m", ROWS)
    at.give(some(at, uid, 1, 130))
    with at.database.write() as conn:
        metrics.clear_model(conn, uid)
        metrics.start_model(conn, uid, parameters="{}", model_params="{}", status=1)
    again = at.scores(uid, *range(1, 201), generation=1)
    at.give(alarming(again, *ALARMS))
    assert stored(at, uid) == naive(179)


@examples(25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_happens_each_row_is_counted_once(at, data):
    """Scores in runs of any length; the service is killed before or behind a commit, loses an answer, is overtaken."""
    with at.database.write() as conn:
        conn.execute(delete(schema.metric))
    at.stage = at.new_stage()
    uids = [at.monitored(name, ROWS) for name in "ab"]
    done = dict.fromkeys(uids, 0)
    events = ["nothing", "settle", "killed before", "killed behind", "no answer", "overtaken"]
    while min(done.values()) < ROWS:
        uid = data.draw(st.sampled_from([uid for uid in uids if done[uid] < ROWS]), label="metric")
        count = data.draw(st.sampled_from([61, 60, 59, 130, 30, 7, 1]), label="rows")
        event = data.draw(st.sampled_from(events), label="event")
        last = min(done[uid] + count, ROWS)
        message = some(at, uid, max(1, done[uid] - 3), last)
        if event == "settle":
            at.stage.settle()
        elif event == "killed before":
            at.stage = at.new_stage()
        elif event == "no answer":
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(AnomalyStage, "_store", unheard(AnomalyStage._store))
                with pytest.raises(RepositoryUnavailable):
                    at.give(message)
        elif event == "overtaken":
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(hours, "store", once_false(hours.store))
                at.give(message)
        at.give(message)
        done[uid] = last
        if event == "killed behind":
            at.stage = at.new_stage()
            at.give(message, deliveries=2)
        found = stored(at, uid)
        assert found == naive(found[-1].last_rowid if found else 0)
    for _ in range(20):
        at.stage.settle()
    for uid in uids:
        assert stored_sums(at, uid) == naive(ROWS)


def unheard(real):
    """Commit, and lose the answer."""

    def store(self, *arguments, **options):
        real(self, *arguments, **options)
        raise RepositoryUnavailable("the connection broke while it committed", hint="")

    return store


def once_false(real):
    """Be told once that somebody else summed up the rows."""
    answers = [False]

    def store(conn, sums):
        return answers.pop() if answers else real(conn, sums)

    return store
