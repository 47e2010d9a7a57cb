import pytest
from sqlalchemy import delete, insert, null, update

from htmengine.admin.verify import row_findings
from htmengine.repository import backfill, metrics, row_checks, samples, schema, scores, verification
from htmengine.repository.status import MetricStatus

ROWS, SCORED = 6, 4
data = schema.metric_data.c
metric = schema.metric.c


@pytest.fixture
def healthy(database, uid):
    with database.write() as conn:
        metrics.start_model(conn, uid, parameters="{}", model_params="{}", status=MetricStatus.ACTIVE)
        rowids = list(range(1, ROWS + 1))
        samples.append(conn, [uid] * ROWS, rowids, [100 + rowid for rowid in rowids], [1.0] * ROWS)
        samples.advance_last(conn, [samples.Advance(uid, 0, ROWS, 100 + ROWS)])
        columns = {
            name: [0.5] * SCORED
            for name in (
                "raw_anomaly_scores",
                "anomaly_scores",
                "log_scores",
                "sequence_scores",
                "novelty_scores",
            )
        }
        scores.store(conn, uids=[uid] * SCORED, rowids=rowids[:SCORED], **columns)
        scores.advance_watermarks(conn, [(uid, 0, 0, SCORED)])
    return database


def everything(conn, since=None):
    return row_checks.Part([uid for uid, _ in verification.metric_names(conn)], since)


def findings(database, since=None):
    with database.read() as conn:
        counted = row_checks.checked(conn, everything(conn, since)).counts
    return [finding for counts in counted for finding in row_findings(counts)]


def test_a_healthy_metric_has_no_findings(healthy):
    assert findings(healthy) == []
    with healthy.read() as conn:
        assert row_checks.checked(conn, everything(conn)).reversals == []
        assert row_checks.checked(conn, everything(conn)).halves == []
        assert verification.names_taken_twice(conn) == []
        assert verification.held_without_backfill(conn) == {}


def test_a_part_is_counted_from_a_time_on(healthy, uid):
    with healthy.read() as conn:
        (counts,) = row_checks.checked(conn, everything(conn, since=103)).counts
    assert (counts.rows, counts.first, counts.last, counts.scored, counts.oldest) == (4, 3, ROWS, 2, 1)
    assert findings(healthy, since=103) == findings(healthy, since=1000) == []


def test_of_other_metrics_nothing_is_counted(healthy, uid):
    with healthy.write() as conn:
        metrics.create_custom(conn, ["another"])
    with healthy.read() as conn:
        assert [it.uid for it in row_checks.checked(conn, row_checks.Part([uid])).counts] == [uid]
        assert row_checks.checked(conn, row_checks.Part([])).counts == []


def test_what_is_wrong_before_a_part_is_not_found_but_at_its_beginning_it_is(healthy, uid):
    with healthy.write() as conn:
        third = conn.execute(data.timestamp.table.select().where(data.rowid == 3)).one()
        conn.execute(update(schema.metric_data).where(data.rowid == 4).values(timestamp=third.timestamp))
        conn.execute(update(schema.metric_data).where(data.rowid == 1).values(anomaly_score=1.5))
    with healthy.read() as conn:
        # Rows 3 and 4 have the time 103.
        assert row_checks.checked(conn, everything(conn, since=103)).halves == []
        assert row_checks.checked(conn, everything(conn, since=103)).reversals == [(uid, 4)]
        assert row_checks.checked(conn, everything(conn, since=105)).reversals == []


def test_a_metric_without_rows_has_no_findings(database, uid):
    assert findings(database) == []


def test_rows_that_were_removed_by_age_are_no_finding(healthy):
    with healthy.write() as conn:
        conn.execute(delete(schema.metric_data).where(data.rowid <= 2))
    assert findings(healthy) == []


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (delete(schema.metric_data).where(data.rowid == 3), "some are missing"),
        (delete(schema.metric_data).where(data.rowid == ROWS), "last_rowid is 6, but the last row is 5"),
        (update(schema.metric_watermark).values(scored_rowid=SCORED + 1), "4 rows have scores"),
        (update(schema.metric_watermark).values(scored_rowid=SCORED - 1), "4 rows have scores"),
        (update(schema.metric_watermark).values(scored_rowid=ROWS + 3), "is beyond last_rowid"),
        (update(schema.metric).values(tail_timestamp=9), "tail_timestamp is 9"),
        (
            update(schema.metric_data).where(data.rowid == 2).values(anomaly_score=null()),
            "3 rows have scores",
        ),
        (delete(schema.metric_data).where(data.rowid <= 5), "removed before they were scored"),
    ],
)
def test_each_damage_is_found(healthy, damage, words):
    with healthy.write() as conn:
        conn.execute(damage)
    assert any(words in finding for finding in findings(healthy)), findings(healthy)


def test_a_score_in_the_wrong_place_is_found_though_their_number_is_right(healthy):
    with healthy.write() as conn:
        conn.execute(update(schema.metric_data).where(data.rowid == 2).values(anomaly_score=null()))
        conn.execute(update(schema.metric_data).where(data.rowid == 6).values(anomaly_score=0.5))
    assert "scores reach row 6, but scored_rowid says 4" in findings(healthy)[0]


def test_time_that_stands_still_or_goes_back_is_found(healthy, uid):
    with healthy.write() as conn:
        third = conn.execute(data.timestamp.table.select().where(data.rowid == 3)).one()
        conn.execute(update(schema.metric_data).where(data.rowid == 4).values(timestamp=third.timestamp))
    with healthy.read() as conn:
        assert row_checks.checked(conn, everything(conn)).reversals == [(uid, 4)]


def test_scores_in_part_or_out_of_range_are_found(healthy, uid):
    with healthy.write() as conn:
        conn.execute(update(schema.metric_data).where(data.rowid == 1).values(raw_anomaly_score=null()))
        conn.execute(update(schema.metric_data).where(data.rowid == 2).values(anomaly_score=1.5))
    with healthy.read() as conn:
        assert row_checks.checked(conn, everything(conn)).halves == [(uid, 1), (uid, 2)]


def test_a_name_that_two_metrics_have_is_found(healthy):
    with healthy.write() as conn:
        conn.execute(insert(schema.metric).values(uid="other", name="some.metric", datasource="custom"))
    with healthy.read() as conn:
        assert verification.names_taken_twice(conn) == ["some.metric"]


def test_samples_that_are_held_for_no_backfill_are_found(healthy):
    with healthy.write() as conn:
        backfill.begin(conn, "a", "token", 0)
        backfill.hold(conn, ["a", "b", "b"], [1, 2, 3], [0.0, 0.0, 0.0])
    with healthy.read() as conn:
        assert verification.held_without_backfill(conn) == {"b": 2}
