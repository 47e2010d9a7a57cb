"""Rows of many metrics in one statement."""

import math

import numpy as np
import pytest

from htmengine.repository import metrics, windows
from htmengine.repository.status import MetricStatus
from htmengine.repository.windows import Span
from tests.unit.repository.rows import FIRST_SECOND, add_scored

COUNT = 7


@pytest.fixture
def uids(database):
    """Give metrics with rows 1 to 7, a minute apart, whose values and scores differ."""
    with database.write() as conn:
        uids = list(metrics.create_custom(conn, [f"m{i}" for i in range(3)]).values())
        for i, uid in enumerate(uids):
            metrics.start_model(conn, uid, parameters=None, model_params="{}", status=MetricStatus.ACTIVE)
            times = [FIRST_SECOND + 60 * rowid for rowid in range(1, COUNT + 1)]
            values = [10.0 * i + rowid for rowid in range(1, COUNT + 1)]
            scores = [rowid / 10 for rowid in range(1, COUNT + 1)]
            forecasts = [math.nan, *[float(rowid) for rowid in range(2, COUNT + 1)]]
            add_scored(conn, uid, times, values, scores, forecasts=forecasts)
    return uids


def test_each_span_has_its_rows_in_the_order_of_the_spans(database, uids, monkeypatch):
    monkeypatch.setattr(windows, "METRICS_IN_STATEMENT", 2)
    spans = [Span(uids[2], 3, 5), Span(uids[0], 7, 99), Span("nobody", 1, 9), Span(uids[1], 5, 4)]
    with database.read() as conn:
        found = list(windows.rows_of(conn, spans, ["value", "log_score", "forecast"]))
    assert [rows.rowids.tolist() for rows in found] == [[3, 4, 5], [7], [], []]
    assert found[0].timestamps.tolist() == [FIRST_SECOND + 60 * rowid for rowid in (3, 4, 5)]
    assert found[0].columns["value"].tolist() == [23, 24, 25]
    assert found[0].columns["log_score"].tolist() == [0.3, 0.4, 0.5]
    assert found[0].columns["forecast"].tolist() == [3, 4, 5]


def test_what_is_not_known_is_nan(database, uids):
    with database.read() as conn:
        (found,) = windows.rows_of(conn, [Span(uids[0], 1, 2)], ["forecast"])
    np.testing.assert_array_equal(found.columns["forecast"], [np.nan, 2])


def test_the_work_is_checked_before_each_statement(database, uids, monkeypatch):
    monkeypatch.setattr(windows, "METRICS_IN_STATEMENT", 1)
    checks = []
    with database.read() as conn:
        list(windows.rows_of(conn, [Span(uid, 1, 2) for uid in uids], ["value"], lambda: checks.append(1)))
    assert len(checks) == 3


def test_steps_are_summed_up_by_the_database(database, uids):
    since = FIRST_SECOND + 60
    step = 180
    with database.read() as conn:
        begins, columns = windows.steps_of(
            conn, uids[1], since, since + 6 * 60, step, ["value", "log_score", "usual_low"]
        )
    rows = {}
    for rowid in range(1, 7):
        at = FIRST_SECOND + 60 * rowid
        rows.setdefault(at // step * step, []).append(rowid)
    assert begins.tolist() == list(rows)
    np.testing.assert_allclose(columns["value"], [10 + np.mean(some) for some in rows.values()])
    assert columns["log_score"].tolist() == [max(some) / 10 for some in rows.values()]


def test_the_interval_is_the_median_of_the_gaps(database, uids):
    with database.read() as conn:
        found = windows.intervals(conn, [(uids[0], COUNT), ("nobody", 5)])
    assert found[0] == 60
    assert math.isnan(found[1])
