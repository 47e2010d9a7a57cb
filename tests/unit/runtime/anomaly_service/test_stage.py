"""Scores are stored in order and once, whatever the queue does."""

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from htmengine import messages
from htmengine.messages import ModelFailure, Scores
from htmengine.repository import identity, metrics, samples, schema
from htmengine.repository import scores as repository_scores
from htmengine.repository.status import MetricStatus
from tests.support.concurrency import write_first
from tests.support.examples import examples
from tests.unit.runtime.anomaly_service.scored import fields, scores


def test_a_score_is_stored_with_display_value_and_predictions_and_moves_the_watermark(at):
    uid = at.monitored("m", 2)
    at.give(scores(uid, 1, 2, predictions=True))
    with at.database.read() as conn:
        rows = conn.execute(select(schema.metric_data).order_by(schema.metric_data.c.rowid)).all()
    assert [
        (row.raw_anomaly_score, row.anomaly_score, row.log_score, row.sequence_score, row.novelty_score)
        for row in rows
    ] == [
        (0.125 + 1 / 1024, 0.25 + 1 / 1024, 0.375 + 1 / 1024, 0.5 + 1 / 1024, 0.625 + 1 / 1024),
        (0.125 + 2 / 1024, 0.25 + 2 / 1024, 0.375 + 2 / 1024, 0.5 + 2 / 1024, 0.625 + 2 / 1024),
    ]
    assert [row.display_value for row in rows] == [1000, 1000]
    assert [row.multi_step_best_predictions for row in rows] == ['{"1":1.5}', '{"1":2.5}']
    assert at.state(uid).scored_rowid == 2
    assert at.steps == ["anomaly_service.committed"]


def test_scores_beyond_a_gap_are_left_to_the_sweep(at):
    uid = at.monitored("m", 5)
    assert at.give(scores(uid, 1, 3, 4)).rowids() == [(uid, 1)]
    assert at.state(uid).scored_rowid == 1
    assert at.give(scores(uid, 2, 3, 4, 5)).rowids() == [(uid, row) for row in (2, 3, 4, 5)]


def test_a_row_that_comes_twice_keeps_its_first_score_and_is_published_once(at):
    uid = at.monitored("m", 2)
    other = Scores(**{**fields(scores(uid, 1)), "anomaly_scores": [0.9]})
    assert at.give(scores(uid, 1), other).rowids() == [(uid, 1)]
    assert at.give(other).rowids() == []
    assert [row.anomaly_score for row in at.stored(uid)] == [0.25 + 1 / 1024]


@pytest.mark.parametrize("stale", ["unknown", "generation", "unmonitored", "failed", "no such row"])
def test_scores_of_nobody_change_nothing_and_cost_no_neighbour(at, stale):
    uid, neighbour = at.monitored("m", 2), at.monitored("n", 1)
    sent = scores("0" * 32 if stale == "unknown" else uid, 1, generation=int(stale == "generation"))
    with at.database.write() as conn:
        if stale == "unmonitored":
            metrics.end_model(conn, uid)
        elif stale == "failed":
            metrics.set_status(conn, uid, MetricStatus.ERROR)
        elif stale == "no such row":
            conn.execute(update(schema.metric).where(schema.metric.c.uid == uid).values(last_rowid=0))
    for deliveries in (1, 2):
        published = at.give(sent, scores(neighbour, 1), deliveries=deliveries)
        assert published.rowids() == [(neighbour, 1)]
    assert at.stored(uid) == []


def test_a_body_that_cannot_be_decoded_dies_alone(at):
    uid = at.monitored("m", 1)
    published = at.give_bodies(b"\xc1", messages.encode_model_output([scores(uid, 1)]))
    assert published.rowids() == [(uid, 1)]
    assert len(published.dead) == 1
    assert at.give_bodies(b"").dead


def test_scores_are_taken_while_the_definition_is_not_confirmed(at):
    uid = at.monitored("m", 1, status=MetricStatus.CREATE_PENDING)
    assert at.give(scores(uid, 1)).rowids() == [(uid, 1)]


def test_rows_that_are_missing_roll_the_watermark_back_and_end_the_service_loudly(at):
    uid = at.monitored("m", 2)
    with at.database.write() as conn:
        conn.execute(delete(schema.metric_data).where(schema.metric_data.c.rowid == 2))
    with pytest.raises(RuntimeError, match="htmengine verify"):
        at.give(scores(uid, 1, 2))
    assert at.state(uid).scored_rowid == 0
    assert at.stored(uid) == []


# -- Scores of samples that the repository has lost, while others got their rowids


@pytest.mark.parametrize("lost", ["sample", "sample before", "model"])
def test_scores_of_samples_that_were_lost_are_not_stored_and_cost_no_neighbour(at, lost):
    uid, neighbour = at.monitored("m", 3), at.monitored("n", 3)
    old = at.scores(uid, 1, 2, 3)
    if lost == "model":
        old = msgspec.structs.replace(old, digests=[digest ^ 5 for digest in old.digests])
    else:
        with at.database.write() as conn:
            changed = schema.metric_data.c.rowid == (3 if lost == "sample" else 1)
            conn.execute(update(schema.metric_data).where(changed).values(metric_value=7.0))
            rows = samples.read(conn, uid, 1, 3, 3)
            digests = list(identity.extended(identity.start(0, None), rows.timestamps, rows.values))
            for rowid, digest in enumerate(digests, 1):
                of_row = schema.metric_data.c.uid == uid, schema.metric_data.c.rowid == rowid
                conn.execute(update(schema.metric_data).where(*of_row).values(digest=digest))
    right = [(uid, 1), (uid, 2)] if lost == "sample" else []
    published = at.give(old, at.scores(neighbour, 1, 2, 3))
    assert sorted(published.rowids()) == sorted([*right, *((neighbour, row) for row in (1, 2, 3))])
    assert [row.rowid for row in at.stored(uid)] == [rowid for _, rowid in right]
    assert at.state(uid).scored_rowid == len(right)
    assert at.stage.counters.snapshot()["scores_of_other_samples"] == 3 - len(right)
    missing = [rowid for rowid in (1, 2, 3) if rowid > len(right)]
    assert at.give(at.scores(uid, *missing)).rowids() == [(uid, rowid) for rowid in missing]


def test_in_one_batch_the_scores_of_the_samples_that_are_stored_are_chosen(at):
    uid = at.monitored("m", 2)
    right = at.scores(uid, 1, 2)
    wrong = msgspec.structs.replace(right, anomaly_scores=[1.0, 1.0], digests=[7, 8])
    at.give(wrong, right, wrong)
    assert [row.anomaly_score for row in at.stored(uid)] == right.anomaly_scores


@pytest.mark.parametrize("deliveries", [1, 2])
def test_scores_of_an_earlier_version_are_stored_where_time_and_value_are_those_of_the_row(at, deliveries):
    uid, other = at.monitored("m", 3), at.monitored("n", 2, first_value=9.0)
    published = at.give(scores(uid, 1, 2, 3), scores(other, 1, 2), deliveries=deliveries)
    assert published.rowids() == [(uid, 1), (uid, 2), (uid, 3)]
    assert at.state(other).scored_rowid == 0


def test_rows_of_an_earlier_version_take_the_scores_that_come_for_them(at):
    uid = at.monitored("m", 2)
    at.without_digests()
    assert at.give(at.scores(uid, 1), scores(uid, 2)).rowids() == [(uid, 1), (uid, 2)]
    assert at.stage.counters.snapshot()["scores_of_other_samples"] == 0


def test_a_second_owner_is_fenced_off_and_the_batch_read_again(at, monkeypatch):
    uid = at.monitored("m", 2)
    real = repository_scores.advance_watermarks
    calls = []

    def overtaken_once(conn, advances):
        calls.append(list(advances))
        return real(conn, advances) if len(calls) > 1 else 0

    monkeypatch.setattr(repository_scores, "advance_watermarks", overtaken_once)
    assert at.give(scores(uid, 1)).rowids() == [(uid, 1)]
    assert len(calls) == 2


def test_a_model_that_ends_before_our_turn_to_write_gets_no_scores(at, monkeypatch):
    uid = at.monitored("m", 2)
    ended = []
    write_first(monkeypatch, at.database, lambda conn: ended.append(metrics.end_model(conn, uid)))
    assert at.give(scores(uid, 1)).rowids() == []
    assert ended
    assert at.stored(uid) == []


ROWS = 6

METRICS = 2


@examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_lost_doubled_or_out_of_order_each_row_gets_one_score_in_order_and_is_published(at, data):
    """A scheduler that sends runs of rows, from any row on; a queue that loses, doubles and reorders; crashes before
    and behind the commit. At the end the sweep asks for what is left.
    """
    with at.database.write() as conn:
        conn.execute(delete(schema.metric))
    at.stage = at.new_stage()
    uids = [at.monitored(f"m{index}", ROWS) for index in range(METRICS)]
    published: list[tuple[str, int]] = []
    runs = st.tuples(st.sampled_from(uids), st.integers(1, ROWS), st.integers(1, ROWS))
    for _ in range(data.draw(st.integers(0, 12), label="batches")):
        sent = data.draw(st.lists(runs, min_size=1, max_size=3), label="runs")
        batch = [scores(uid, *range(first, min(first + count, ROWS + 1))) for uid, first, count in sent]
        crash = data.draw(st.sampled_from(["no", "before", "behind the commit"]), label="crash")
        if crash == "before":
            continue  # and then lost
        if crash == "behind the commit":
            # In order: what its queue keeps but for consumer changes.
            batch.sort(key=lambda message: message.rowids[0])
        given = at.give(*batch)
        if crash == "no":
            published += given.rowids()
            continue
        # What was to be published is gone with the old stage; the messages come again, alone.
        at.stage = at.new_stage()
        for message in batch:
            published += at.give(message, deliveries=2).rowids()
    for uid in uids:
        first = at.state(uid).scored_rowid + 1
        if first <= ROWS:
            published += at.give(scores(uid, *range(first, ROWS + 1))).rowids()
    for uid in uids:
        assert [(row.rowid, row.anomaly_score) for row in at.stored(uid)] == [
            (rowid, 0.25 + rowid / 1024) for rowid in range(1, ROWS + 1)
        ]
        of_metric = [rowid for name, rowid in published if name == uid]
        assert list(dict.fromkeys(of_metric)) == list(range(1, ROWS + 1))
        assert at.state(uid).scored_rowid == ROWS


def test_what_becomes_of_scores_is_counted(at):
    uid = at.monitored("m", 6)
    at.give(scores(uid, 1, 2), scores(uid, 2, 3), scores(uid, 5))
    at.give(scores(uid, 3, generation=7), ModelFailure(uid=uid, generation=0, error_message="broken"))
    counted = at.stage.counters.snapshot()
    assert (counted["scores_stored"], counted["scores_repeated"], counted["scores_beyond_gap"]) == (3, 1, 1)
    assert (counted["scores_stale"], counted["models_failed"]) == (1, 1)
    assert counted["messages_published"] == 2
