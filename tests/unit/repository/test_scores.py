import math

import numpy as np
import pytest

from htmengine.repository import metrics, schema, scores
from tests.unit.repository.rows import add_rows, add_scored, score_rows


def test_scores_come_back_bit_for_bit_with_their_predictions(database, uid):
    columns = {
        "raw_anomaly_scores": [0.1, 1.0],
        "anomaly_scores": [0.1 + 0.2, 0.9999999999999999],
        "log_scores": [5e-324, 0.0],
        "sequence_scores": [1 / 3, 2 / 3],
        "novelty_scores": [math.pi / 4, 0.5],
        "forecasts": [float(np.float32(0.1)), float(np.float32(-1e-45))],
        "usual_lows": [float(np.float32(-3.4e38)), float(np.float32(16777215.0))],
        "usual_highs": [float(np.float32(1e-40)), float(np.float32(123456.789))],
    }
    predictions = [{"1": 0.1 + 0.2, "5": 1e300}, None]
    with database.write() as conn:
        add_rows(conn, uid, 3)
        found = scores.store(conn, uids=[uid, uid], rowids=[1, 2], predictions=predictions, **columns)
    assert found == 2
    with database.read() as conn:
        rows = scores.stored(conn, uid, 1, 3)
    assert [row.rowid for row in rows] == [1, 2]
    assert [row.predictions for row in rows] == predictions
    for number, row in enumerate(rows):
        assert row[3:11] == tuple(column[number] for column in columns.values())


def test_a_forecast_that_is_not_known_is_stored_as_null(database, uid):
    with database.write() as conn:
        add_scored(conn, uid, [60, 120, 180], [1.0] * 3, [0.0] * 3, forecasts=[math.nan, math.inf, 1.5])
        rows = scores.stored(conn, uid, 1, 3)
    assert [(row.forecast, row.usual_low, row.usual_high) for row in rows] == [
        (None, None, None),
        (None, None, None),
        (1.5, 1.5, 1.5),
    ]


def test_scores_of_rows_that_are_not_there_are_not_counted(database, uid):
    with database.write() as conn:
        add_rows(conn, uid, 1)
        column = [0.5, 0.5]
        found = scores.store(
            conn,
            uids=[uid, uid],
            rowids=[1, 2],
            raw_anomaly_scores=column,
            anomaly_scores=column,
            log_scores=column,
            sequence_scores=column,
            novelty_scores=column,
        )
    assert found == 1


@pytest.mark.parametrize(("generation", "before", "moved"), [(0, 0, 1), (1, 0, 0), (0, 1, 0)])
def test_a_watermark_moves_only_in_its_generation_and_from_where_it_stands(
    database, uid, generation, before, moved
):
    with database.write() as conn:
        add_rows(conn, uid, 3)
        assert scores.advance_watermarks(conn, [(uid, generation, before, 3)]) == moved
        assert metrics.states(conn, [uid])[uid].scored_rowid == 3 * moved
        assert scores.advance_watermarks(conn, []) == 0


def test_scores_are_stored_while_the_storer_has_the_metric(database, uid):
    if database.dialect == "sqlite":
        return  # where one writes at a time
    limit = {"mysql": "SET innodb_lock_wait_timeout = 1", "postgresql": "SET LOCAL lock_timeout = '1s'"}
    with database.write() as conn:
        add_rows(conn, uid, 3)
        score_rows(conn, uid, 1, 1)
    with database.write() as storer:
        add_rows(storer, uid, 1)
        with database.write() as conn:
            conn.exec_driver_sql(limit[database.dialect])
            score_rows(conn, uid, 2, 3)
    with database.read() as conn:
        assert metrics.state(conn, uid)[6:8] == (4, 3)


def test_a_metric_that_an_application_gave_a_model_gets_its_watermark_with_the_first_scores(database, uid):
    with database.write() as conn:
        add_rows(conn, uid, 3)
        other = metrics.create_custom(conn, ["other"])["other"]
        add_rows(conn, other, 3)
        score_rows(conn, other, 1, 1)
        advances = [(uid, 0, 0, 3), (other, 0, 1, 2)]
        assert scores.advance_watermarks(conn, advances) == 2
        assert {state.uid: state.scored_rowid for state in metrics.custom(conn)} == {uid: 3, other: 2}


def test_rows_that_get_the_scores_they_have_are_found(database, uid):
    with database.write() as conn:
        add_rows(conn, uid, 3)
        score_rows(conn, uid, 1, 3)
        conn.execute(schema.metric_watermark.update().values(scored_rowid=0))
        score_rows(conn, uid, 1, 3)


def test_many_rows_are_scored_in_one_call(database, uid):
    with database.write() as conn:
        add_rows(conn, uid, 1001)
        score_rows(conn, uid, 1, 1001)
        assert len(scores.stored(conn, uid, 1, 1001)) == 1001
