"""Export and import of metrics."""

import json
import time
from datetime import datetime, timedelta

import pytest

from htmengine.exceptions import (
    MetricNotMonitoredError,
    ObjectNotFoundError,
)
from htmengine.repository import samples
from htmengine.repository.engine import reading
from tests.unit.adapters.custom import (
    START,
    add_rows,
    metric_count,
    spec,
    state,
)


def test_an_export_imported_again_is_the_same_metric(context, adapter):
    given = spec(modelParams={"min": 0, "max": 10})
    uid = adapter.monitorMetric(given)
    add_rows(context, uid, [0.1, 1e300, -2.5])
    exported = adapter.exportModel(uid, days=None)
    first = datetime(2013, 12, 5)
    assert exported == {
        **given,
        "data": [[0.1, first], [1e300, first + timedelta(minutes=5)], [-2.5, first + timedelta(minutes=10)]],
    }
    adapter.deleteMetricByName("cpu.load")
    text = json.dumps(exported, default=str)
    again = adapter.importModel(json.loads(text))
    assert adapter.exportModel(again, days=None) == exported
    assert state(context, again).tail_timestamp == START + 600
    assert adapter.importModel(exported) == again


def test_an_export_reaches_back_fourteen_days_and_says_what_it_left_out(context, adapter, caplog):
    uid = adapter.monitorMetric(spec())
    oldest = int(time.time()) - 14 * 86_400
    add_rows(context, uid, [5.0, 6.0, 7.0], start=oldest - 300, step=600)
    assert [value for value, _ in adapter.exportModel(uid)["data"]] == [6.0, 7.0]
    assert "left_out=1" in caplog.text
    assert len(adapter.exportModel(uid, days=None)["data"]) == 3


def test_a_metric_without_a_model_has_no_export(adapter):
    with pytest.raises(MetricNotMonitoredError):
        adapter.exportModel(adapter.createMetric("cpu.load"))
    with pytest.raises(ObjectNotFoundError):
        adapter.exportModel("0" * 32)


def test_imported_samples_keep_to_the_order_of_time(context, adapter):
    data = [
        [1.0, START],
        [2.0, START + 0.9],  # the same second
        [3.0, "2013-12-05 00:05:00"],
        [4.0, START + 299],
        [5.0, "2013-12-05T00:10:00+00:00"],
        [6.0, "2999-01-01 00:00:00"],
    ]
    uid = adapter.importModel({**spec(), "data": data})
    with reading(context.engine) as conn:
        assert samples.read(conn, uid, 1, 10, 10) == samples.Rows(
            [1, 2, 3], [START, START + 300, START + 600], [1.0, 3.0, 5.0]
        )


def test_an_import_does_not_touch_samples_that_are_there(context, adapter):
    uid = adapter.createMetric("cpu.load")
    add_rows(context, uid, [1.0])
    assert adapter.importModel({**spec(), "data": [[9.0, START + 9000]]}) == uid
    assert state(context, uid).last_rowid == 1


@pytest.mark.parametrize(
    "data", [[[1.0]], [["x", START]], [[float("nan"), START]], [[1.0, "yesterday"]], [[1.0, 1e400]], [7]]
)
def test_an_import_of_what_are_no_samples_creates_nothing(context, adapter, data):
    with pytest.raises(ValueError, match=r"data\[1\]"):
        adapter.importModel({**spec(), "data": [[0.0, START], *data]})
    assert metric_count(context) == 0
