"""Export and import of metrics."""

import json
import time
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from htmengine.cli import monitoring
from htmengine.errors import ExplainedError
from htmengine.exceptions import (
    MetricNotMonitoredError,
    ObjectNotFoundError,
)
from htmengine.htm.model import Model
from htmengine.repository import samples
from tests.support.examples import examples
from tests.unit.adapters.custom import (
    START,
    add_rows,
    metric_count,
    nupic_model,
    parameters,
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
    with context.database.read() as conn:
        *rows, digests = samples.read(conn, uid, 1, 10, 10)
    assert rows == [[1, 2, 3], [START, START + 300, START + 600], [1.0, 3.0, 5.0]]
    assert len(set(digests)) == 3
    assert state(context, uid).tail_digest == digests[-1]


def test_an_import_does_not_touch_samples_that_are_there(context, adapter):
    uid = adapter.createMetric("cpu.load")
    add_rows(context, uid, [1.0])
    assert adapter.importModel({**spec(), "data": [[9.0, START + 9000]]}) == uid
    assert state(context, uid).last_rowid == 1


@pytest.mark.parametrize(
    "data",
    [
        [[1.0]],
        [["x", START]],
        [[float("nan"), START]],
        [[1.0, "yesterday"]],
        [[1.0, 1e400]],
        [7],
        [["1.0", START]],
        [["٣", START]],
        [[10**400, START]],
    ],
)
def test_an_import_of_what_are_no_samples_creates_nothing(context, adapter, data):
    with pytest.raises(ValueError, match=r"data\[1\]"):
        adapter.importModel({**spec(), "data": [[0.0, START], *data]})
    assert metric_count(context) == 0


@pytest.mark.parametrize("data", [7, "text", {"a": 1}, True])
def test_data_that_is_no_list_is_refused(context, adapter, data):
    with pytest.raises(ValueError, match="is not a list of samples"):
        adapter.importModel({**spec(), "data": data})
    assert metric_count(context) == 0


def nested(depth, inner):
    for _ in range(depth):
        inner = [inner]
    return inner


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("[" * 100_000, "not JSON"),
        (json.dumps({**spec(), "data": nested(400, 1)}), r"data\[0\]"),
        (json.dumps(spec(userInfo=1)), "userInfo"),
        (
            json.dumps(
                {"datasource": "custom", "metricSpec": {"metric": "m", "userInfo": {"a": nested(200, 1)}}}
            ),
            "deep",
        ),
        (
            json.dumps(
                {"datasource": "custom", "metricSpec": {"metric": "m", "userInfo": {"a": "x" * 70_000}}}
            ),
            "65535",
        ),
        (
            json.dumps(
                {"datasource": "custom", "metricSpec": {"metric": "m", "userInfo": {"a": float("nan")}}}
            ),
            "JSON",
        ),
        (
            json.dumps({"datasource": "custom", "metricSpec": {"metric": "m", "userInfo": {"a": "\ud800"}}}),
            "JSON",
        ),
        (
            json.dumps({"datasource": "custom", "metricSpec": {"metric": "m", "resource": "a\x00"}}),
            "cannot be seen",
        ),
        (json.dumps({"datasource": "custom", "metricSpec": {"metric": ["m"]}}), "metric"),
        (json.dumps(spec("a\x00b")), r"cannot be seen: 'a\\x00b'"),
        (json.dumps(spec("\ufeffcpu")), r"cannot be seen: '\\ufeffcpu'"),
        (json.dumps(spec("a\u2028b")), "no spaces"),
        (json.dumps(spec(modelParams={"min": 10**400, "max": 1})), "min"),
        (json.dumps(spec(modelParams={"min": -1e305, "max": 1e305})), "finite number within"),
        ("\ufeff{}", "not JSON"),
        ("7", "names no metric"),
    ],
    ids=lambda given: given[:20],
)
def test_an_import_of_what_no_export_writes_is_told_and_creates_nothing(context, given, message):
    with pytest.raises(ExplainedError, match=message) as raised:
        monitoring.import_(context, given, "FILE")
    assert raised.value.hint
    assert metric_count(context) == 0


@pytest.mark.parametrize("least", [5e-324, 1e-320, 0.0, 1e300])
@pytest.mark.parametrize("model", ["default", "nupic"])
def test_any_smallest_difference_makes_a_model(context, least, model):
    described = spec(modelParams={"min": 0, "max": 100, "minResolution": least})
    uid = nupic_model(context, model).importModel(described)
    Model(parameters(context, uid))


HOSTILE = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from(
        [10**400, -(10**400), 5e-324, 1e300, -1e308, 0, 1, "", "custom", "a\x00b", "\ud800", "٣", "m"]
    )
    | st.floats()
    | st.text(st.characters(), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
SPECS = st.fixed_dictionaries(
    {"datasource": st.just("custom") | HOSTILE, "metricSpec": st.just({"metric": "m"}) | HOSTILE},
    optional={
        "modelParams": HOSTILE
        | st.dictionaries(
            st.sampled_from(["min", "max", "minResolution", "enableClassifier"]), HOSTILE, max_size=3
        ),
        "data": HOSTILE | st.lists(st.tuples(HOSTILE, HOSTILE | st.just(START)), max_size=3),
        "completeModelParams": HOSTILE,
    },
)


@examples(150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spec=SPECS | HOSTILE)
def test_whatever_is_imported_becomes_a_metric_or_is_told(context, spec):
    with suppress(ExplainedError):
        monitoring.import_(context, json.dumps(spec), "FILE")
