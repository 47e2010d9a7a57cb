import math

import numpy as np
import pytest

from htmengine.repository import metrics, samples, schema, series
from htmengine.repository.status import MetricStatus
from tests.unit.repository.rows import FIRST_SECOND, add_rows, add_scored, explained


@pytest.fixture
def scored(database, uid):
    """Give a metric of which rows 1 to 4 have scores, rows 3 and 4 a forecast, and row 5 has none."""
    with database.write() as conn:
        metrics.start_model(conn, uid, parameters=None, model_params="{}", status=MetricStatus.ACTIVE)
        times = [FIRST_SECOND + 60 * rowid for rowid in range(1, 5)]
        forecasts = [math.nan, math.nan, 0.5, 0.25]
        add_scored(conn, uid, times, [1.0, 2.0, 3.0, 4.0], [0.1, 0.2, 0.3, 0.4], forecasts=forecasts)
        add_rows(conn, uid, 1)
    return uid


def test_rows_come_as_columns_with_what_is_not_known_as_nan(database, scored):
    with database.read() as conn:
        found = series.rows_since(conn, scored, 1, 100)
    assert found.rowids.tolist() == [2, 3, 4, 5]
    assert found.rowids.dtype == found.timestamps.dtype == np.int64
    assert found.timestamps.tolist() == [FIRST_SECOND + 60 * rowid for rowid in (2, 3, 4, 5)]
    assert found.values.tolist() == [2.0, 3.0, 4.0, 5.0]
    np.testing.assert_array_equal(found.log_scores, [0.2, 0.3, 0.4, np.nan])
    assert np.isnan(found.anomaly_scores).tolist() == [False, False, False, True]
    for column in (found.forecasts, found.usual_lows, found.usual_highs):
        np.testing.assert_array_equal(column, [np.nan, 0.5, 0.25, np.nan])


def test_all_that_is_stored_of_rows_comes_with_how_rare_their_alarms_are(database, uid):
    with database.write() as conn:
        metrics.start_model(conn, uid, parameters=None, model_params="{}", status=MetricStatus.ACTIVE)
        times = [FIRST_SECOND + 60 * rowid for rowid in range(1, 5)]
        add_scored(conn, uid, times, [1.0, 2.0, 3.0, 4.0], [0.1, 0.2, 0.9, 0.4], forecasts=[0.5] * 4)
        add_rows(conn, uid, 1)
        conn.execute(schema.metric_alarm.update().values(one_in=740.0))
    with database.read() as conn:
        found = series.scored_since(conn, uid, 1, 100)
        assert series.scored_since(conn, uid, 1, 2).rowids.tolist() == [2, 3]
        assert series.scored_since(conn, uid, 5, 2).values.shape == (0,)
    assert found.rowids.tolist() == [2, 3, 4, 5]
    np.testing.assert_array_equal(found.log_scores, [0.2, 0.9, 0.4, np.nan])
    np.testing.assert_array_equal(found.raw_anomaly_scores, [0.2, 0.9, 0.4, np.nan])
    np.testing.assert_array_equal(found.usual_highs, [0.5, 0.5, 0.5, np.nan])
    np.testing.assert_array_equal(found.one_in, [np.nan, 740.0, np.nan, np.nan])


def test_who_stores_the_last_rowid_misses_no_row(database, scored):
    seen, last = [], 0
    with database.read() as conn:
        while len(page := series.rows_since(conn, scored, last, 2).rowids):
            seen += page.tolist()
            last = seen[-1]
        assert seen == [1, 2, 3, 4, 5]
        assert series.rows_since(conn, "unknown", 0, 9).values.shape == (0,)


@pytest.mark.parametrize("missing", [[], [1, 2], [4, 5, 9]])
def test_rows_of_a_time_are_found_by_halves_also_where_some_are_missing(database, uid, missing):
    with database.write() as conn:
        times = {rowid: 1000 + rowid * rowid for rowid in range(1, 12) if rowid not in missing}
        samples.append(conn, [uid] * len(times), list(times), list(times.values()), [0.0] * len(times))
    bounds = [-math.inf, 0, 1001, 1001.5, 1016, 1025, 1026, 1100, 1121, 1122, math.inf]
    with database.read() as conn:
        for since in bounds:
            for until in bounds:
                found = series.rows_between(conn, uid, since, until).rowids.tolist()
                assert found == [rowid for rowid, time in times.items() if since <= time < until]
        assert series.rows_between(conn, "unknown", 0, 9).rowids.tolist() == []


@pytest.mark.parametrize("step", [1, 60, 7 * 60 + 1, 3600, 604_800])
def test_rows_in_steps_are_those_that_a_naive_reading_makes(database, uid, step):
    times = [-5000, -4999, -60, 0, 1, 60, 61, 500, 3599, 3600, 7200, 604_799, 604_800]
    values = [float((7 * time) % 13) for time in times]
    scores = [(time % 5) / 10 for time in times]
    forecasts = [math.nan if time % 2 else time / 4 for time in times]
    with database.write() as conn:
        metrics.start_model(conn, uid, parameters=None, model_params="{}", status=MetricStatus.ACTIVE)
        add_scored(conn, uid, times, values, scores, forecasts=forecasts)
        add_rows(conn, uid, 1)
    for since, until in [(-math.inf, math.inf), (-4999, 3600), (0, 1), (2, 3)]:
        with database.read() as conn:
            found = series.steps_between(conn, uid, since, until, step)
            rows = series.rows_between(conn, uid, since, until)
        cells = {}
        for place, time in enumerate(rows.timestamps.tolist()):
            cells.setdefault(time // step * step, []).append(place)
        assert found.timestamps.tolist() == list(cells)
        last = [places[-1] for places in cells.values()]
        for name in ("values", "forecasts", "usual_lows", "usual_highs"):
            np.testing.assert_array_equal(getattr(found, name), getattr(rows, name)[last])
        for name, column, chosen in [
            ("min_values", rows.values, np.fmin),
            ("max_values", rows.values, np.fmax),
            ("log_scores", rows.log_scores, np.fmax),
            ("anomaly_scores", rows.anomaly_scores, np.fmax),
        ]:
            naive = [chosen.reduce(column[places]) for places in cells.values()]
            np.testing.assert_array_equal(getattr(found, name), naive)


def test_no_more_rows_are_read_than_needed(database, scored):
    if database.dialect != "sqlite":
        return  # it decides by how many rows there are
    with explained(database) as plans, database.read() as conn:
        series.rows_since(conn, scored, 1, 100)
        series.rows_between(conn, scored, FIRST_SECOND, FIRST_SECOND + 100)
        series.steps_between(conn, scored, FIRST_SECOND, FIRST_SECOND + 100, 60)
    for plan in plans():
        assert "SEARCH" in plan
        assert "SCAN number" not in plan
        assert "SCAN sample" not in plan
