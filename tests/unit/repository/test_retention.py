import pytest

from htmengine.repository import metrics, retention, samples, schema, teachings
from htmengine.repository.status import MetricStatus
from htmengine.repository.teachings import Teaching
from tests.unit.repository.rows import FIRST_SECOND, add_rows, score_rows

AFTER_ROW_8 = FIRST_SECOND + 8 * 60 + 1
LATE = FIRST_SECOND + 10**6


def oldest(conn, uid):
    stored = samples.stored_range(conn, uid)
    return None if stored is None else stored.oldest


@pytest.fixture
def monitored(database, uid):
    """Give a metric with ten rows, of which six have scores."""
    with database.write() as conn:
        add_rows(conn, uid, 10)
        metrics.start_model(conn, uid, parameters=None, model_params="{}", status=MetricStatus.ACTIVE)
        score_rows(conn, uid, 1, 6)
    return uid


@pytest.mark.parametrize(
    ("before", "checkpoint", "left"),
    [
        (LATE, [4], 5),  # up to the checkpoint
        (LATE, [2, 4, 9], 5),  # the newest of those before the last score
        (LATE, [9], 1),  # no row without a score
        (LATE, [], 1),  # no checkpoint
        (FIRST_SECOND + 3 * 60, [2, 3], 3),  # the time itself is kept
        (FIRST_SECOND + 3 * 60, [6], 1),  # those before the checkpoint could not be scored again
    ],
)
def test_what_stays_of_a_model_begins_behind_a_checkpoint(database, monitored, before, checkpoint, left):
    checkpoints = {(monitored, 0): checkpoint}
    with database.write() as conn:
        removal = retention.remove_older(conn, before, limit=100, checkpoints=lambda uids: checkpoints)
        assert removal[:2] == (left - 1, None)
        assert oldest(conn, monitored) == left


@pytest.mark.parametrize(
    ("how", "expires", "undone", "left"),
    [
        ("forget", LATE, None, 1),  # undone later, the model is made again from the first row
        ("values", LATE, None, 5),  # to be undone needs no row
        ("forget", LATE, 5, 1),  # the checkpoint has not seen the row from which it is undone
        ("forget", LATE, 4, 5),
        ("forget", FIRST_SECOND + 4 * 60 + 1, None, 1),  # the checkpoint's row is from before the expiry
        ("forget", FIRST_SECOND + 4 * 60, None, 5),
    ],
)
def test_a_model_that_is_still_to_be_made_again_keeps_its_rows(
    database, monitored, how, expires, undone, left
):
    taught = Teaching(monitored, 1, how, FIRST_SECOND, FIRST_SECOND + 60, 3, expires)
    with database.write() as conn:
        teachings.add(conn, taught)
        if undone:
            teachings.undo(conn, taught, effective_rowid=undone, by="me", now=1)
        found = {(monitored, 0): [4]}
        retention.remove_older(conn, LATE, limit=100, checkpoints=lambda uids: found)
        assert oldest(conn, monitored) == left


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_checkpoints_before_the_anchor_are_named_once_its_rows_are_gone(database, monitored, limit):
    rows, uid, named = 0, "", []
    while uid is not None:
        with database.write() as conn:
            step = retention.remove_older(
                conn, LATE, limit=limit, checkpoints=lambda uids: {(monitored, 0): [2, 4]}, from_uid=uid
            )
        rows, uid = rows + step.rows, step.next_uid
        named += [(rows, step.anchors)] if step.anchors else []
    assert named == [(4, {(monitored, 0): 4})]


def test_a_checkpoint_of_a_model_that_was_ended_frees_no_row_of_the_next(database, monitored):
    with database.write() as conn:
        metrics.clear_model(conn, monitored)
        metrics.start_model(conn, monitored, parameters=None, model_params="{}", status=MetricStatus.ACTIVE)
        score_rows(conn, monitored, 1, 6)
        old = {(monitored, 0): [6]}
        assert retention.remove_older(conn, LATE, limit=100, checkpoints=lambda uids: old).rows == 0
        both = old | {(monitored, 1): [2]}
        assert retention.remove_older(conn, LATE, limit=100, checkpoints=lambda uids: both).rows == 2


def test_checkpoints_are_asked_for_the_metrics_of_this_step_alone(database, monitored):
    asked = []
    with database.write() as conn:
        metrics.create_custom(conn, ["unmonitored"])
        retention.remove_older(conn, LATE, limit=100, checkpoints=lambda uids: asked.append(uids) or {})
    assert asked == [[monitored]]


@pytest.mark.parametrize(
    ("status", "removed"),
    [(MetricStatus.UNMONITORED, 8), (MetricStatus.ERROR, 8), (MetricStatus.PENDING_DATA, 0)],
)
def test_without_a_model_only_a_metric_that_waits_for_data_keeps_its_rows(database, uid, status, removed):
    with database.write() as conn:
        add_rows(conn, uid, 10)
        metrics.set_status(conn, uid, status)
        assert (
            retention.remove_older(conn, AFTER_ROW_8, limit=100, checkpoints=lambda uids: {}).rows == removed
        )


def test_the_oldest_time_is_that_of_all_metrics(database, uid):
    with database.write() as conn:
        assert retention.oldest_timestamp(conn) is None
        add_rows(conn, uid, 3)
        assert retention.oldest_timestamp(conn) == FIRST_SECOND + 60


def test_the_time_of_the_last_row_outlives_it(database, uid):
    with database.write() as conn:
        add_rows(conn, uid, 3)
        assert retention.remove_older(conn, LATE, limit=100, checkpoints=lambda uids: {}).rows == 3
        state = metrics.states(conn, [uid])[uid]
        assert (state.last_rowid, state.tail_timestamp) == (3, FIRST_SECOND + 180)
        add_rows(conn, uid, 1)
        assert oldest(conn, uid) == 4


def test_steps_that_follow_each_other_come_to_every_metric(database, monkeypatch):
    monkeypatch.setattr(retention, "METRICS_BATCH_SIZE", 2)
    with database.write() as conn:
        uids = metrics.create_custom(conn, list("abcde")).values()
        for uid in uids:
            add_rows(conn, uid, 4)
        steps, following = [], ""
        while following is not None:
            step = retention.remove_older(
                conn, LATE, limit=5, checkpoints=lambda uids: {}, from_uid=following
            )
            steps.append(step.rows)
            following = step.next_uid
        assert sum(steps) == 20
        assert max(steps) <= 5
        assert conn.execute(schema.metric_data.select()).first() is None
