"""The three doors that take JSON: our own, OpenTSDB's and VictoriaMetrics'."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.doors import json_samples, names, opentsdb, victoriametrics
from htmengine.doors.limits import Limits
from htmengine.doors.reasons import Reason
from htmengine.doors.samples import UnreadableBody

NOW = 1_700_000_000.25
LIMITS = Limits()
VALUES = st.floats(allow_nan=False, allow_infinity=False)
TIMES = st.integers(0, 4 * 10**9)
TAGS = st.dictionaries(st.text("abü", min_size=1, max_size=4), st.text(max_size=4), max_size=3)
POINTS = st.lists(st.tuples(st.text("xyz.", min_size=1, max_size=6), TAGS, TIMES, VALUES), max_size=6)

DOORS = {
    "lines": lambda body: json_samples.parse_lines(body, NOW, LIMITS),
    "document": lambda body: json_samples.parse_document(body, NOW, LIMITS),
    "opentsdb": lambda body: opentsdb.parse(body, NOW, LIMITS),
    "victoriametrics": lambda body: victoriametrics.parse(body, LIMITS),
}


def rows(parsed):
    samples = parsed.samples
    return list(zip(samples.names, samples.timestamps, samples.values, strict=True))


def expected(points):
    return [(names.canonical(name, tags), time, value) for name, tags, time, value in points]


def written(points, door):
    """Return points as a door takes them."""
    if door == "opentsdb":
        return json.dumps(
            [{"metric": n, "tags": g, "timestamp": t, "value": v} for n, g, t, v in points]
        ).encode()
    if door == "victoriametrics":
        series = [
            {"metric": {"__name__": n, **g}, "values": [v], "timestamps": [t * 1000]} for n, g, t, v in points
        ]
        return "\n".join(map(json.dumps, series)).encode()
    samples = [{"name": n, "tags": g, "time": t, "value": v} for n, g, t, v in points]
    return (json.dumps(samples) if door == "document" else "\n".join(map(json.dumps, samples))).encode()


@pytest.mark.parametrize("door", DOORS)
@given(points=POINTS)
def test_what_is_written_is_read_back(door, points):
    parsed = DOORS[door](written(points, door))
    assert rows(parsed) == expected(points)
    assert not parsed.refusals


@pytest.mark.parametrize("door", DOORS)
@given(
    body=st.one_of(
        st.binary(max_size=80),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(
                    st.sampled_from(["name", "metric", "value", "values", "times", "timestamps", "tags"]),
                    inner,
                )
            ),
            max_leaves=8,
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_random_bytes_and_documents_are_read_or_refused(door, body):
    with suppress(UnreadableBody):
        DOORS[door](body)


@pytest.mark.parametrize("door", ["lines", "victoriametrics"])
def test_a_line_that_is_no_json_costs_only_itself(door):
    good = written([("a", {}, 1, 2.0)], door)
    parsed = DOORS[door](good + b"\n{broken\n\n[1]\n" + good)
    assert rows(parsed) == [("a", 1, 2)] * 2
    assert [(refusal.reason, refusal.record) for refusal in parsed.refusals.details] == [
        (Reason.NOT_JSON, 2),
        (Reason.SHAPE, 4),
    ]


@pytest.mark.parametrize("door", ["document", "opentsdb"])
def test_a_document_that_is_no_json_is_refused_as_a_whole(door):
    with pytest.raises(UnreadableBody) as raised:
        DOORS[door](written([("a", {}, 1, 2.0)], door)[:-1])
    assert raised.value.reason is Reason.NOT_JSON


@pytest.mark.parametrize(
    ("sample", "row"),
    [
        ({"name": "m", "value": 1}, ("m", NOW, 1)),
        ({"name": "m;b=1;a=2", "time": 5, "value": 1}, ("m;a=2;b=1", 5, 1)),
        ({"name": "m", "time": 5.5, "value": -0.0}, ("m", 5.5, 0)),
        ({"name": "m", "time": "2023-11-14T22:13:20Z", "value": 1}, ("m", 1_700_000_000, 1)),
        ({"name": "m", "time": "2023-11-14T23:13:20.5+01:00", "value": 1}, ("m", 1_700_000_000.5, 1)),
        ({"name": "m", "value": 1, "unknown": {}}, ("m", NOW, 1)),
    ],
)
def test_a_sample_is_read(sample, row):
    assert rows(DOORS["lines"](json.dumps(sample).encode())) == [row]
    assert rows(DOORS["document"](json.dumps(sample).encode())) == [row]


def test_columns_give_a_sample_each():
    body = b'{"name": "m", "times": [1, "1970-01-01T00:00:02Z", 1e20], "values": [3, 4, 5]}'
    parsed = DOORS["lines"](body)
    assert rows(parsed) == [("m", 1, 3), ("m", 2, 4)]
    assert dict(parsed.refusals.counts) == {Reason.TIMESTAMP_RANGE: 1}


@pytest.mark.parametrize(
    ("sample", "reason"),
    [
        ('{"name": "m"}', Reason.SHAPE),
        ('{"value": 1}', Reason.SHAPE),
        ('{"name": "m", "value": "1"}', Reason.SHAPE),
        ('{"name": "m", "value": null}', Reason.SHAPE),
        ('{"name": "m", "value": 1, "values": [1], "times": [1]}', Reason.SHAPE),
        ('{"name": "m", "values": [1], "times": [1, 2]}', Reason.UNEQUAL_COLUMNS),
        ('{"name": "m", "value": 1e999}', Reason.NOT_FINITE),
        ('{"name": "m", "value": 1, "time": "yesterday"}', Reason.TIMESTAMP),
        ('{"name": "m", "value": 1, "time": "2023-11-14T22:13:20"}', Reason.TIMESTAMP),
        ('{"name": "m", "value": 1, "time": 1700000000000}', Reason.TIMESTAMP_RANGE),
        ('{"name": "", "value": 1}', Reason.NO_NAME),
        ('{"name": "m;x", "value": 1}', Reason.BAD_TAG),
    ],
)
def test_a_bad_sample_leaves_its_neighbours(sample, reason):
    good = '{"name": "a", "time": 1, "value": 2}'
    for parsed in (
        DOORS["lines"](f"{good}\n{sample}\n{good}".encode()),
        DOORS["document"](f"[{good},{sample},{good}]".encode()) if "1e999" not in sample else None,
    ):
        if parsed is not None:
            assert rows(parsed) == [("a", 1, 2)] * 2
            assert [(refusal.reason, refusal.record) for refusal in parsed.refusals.details] == [(reason, 2)]


def test_our_own_answer_counts_and_names_what_was_refused():
    status, body = json_samples.answer(DOORS["lines"](b'{"name": "a", "value": 1}\n{"name": "m"}'))
    assert status == 200
    assert body == {
        "accepted": 1,
        "refused": 1,
        "errors": [{"record": 2, "sample": '{"name":"m"}', "reason": Reason.SHAPE}],
        "errors_left_out": 0,
    }
    status, body = json_samples.answer(DOORS["lines"](b"x\n" * 150))
    assert (status, len(body["errors"]), body["errors_left_out"]) == (400, 100, 50)
    assert json_samples.answer(DOORS["lines"](b"")).status == 200


@pytest.mark.parametrize(
    ("point", "row"),
    [
        (
            {"metric": "m", "timestamp": 1356998400, "value": "18.5", "tags": {"b": "1", "a": "2"}},
            ("m;a=2;b=1", 1356998400, 18.5),
        ),
        ({"metric": "m", "timestamp": 1356998400250, "value": 1}, ("m", 1356998400.25, 1)),
        ({"metric": "m", "timestamp": "1356998400", "value": 1}, ("m", 1356998400, 1)),
        ({"metric": "m", "value": 1}, ("m", NOW, 1)),
    ],
)
def test_opentsdb_takes_seconds_milliseconds_and_texts(point, row):
    assert rows(DOORS["opentsdb"](json.dumps(point).encode())) == [row]


def test_opentsdb_answers_as_its_clients_expect():
    good = DOORS["opentsdb"](b'{"metric": "m", "value": 1}')
    partly = DOORS["opentsdb"](b'[{"metric": "m", "value": 1}, {"metric": "m", "value": "x"}]')
    assert opentsdb.answer(good) == (204, {})
    assert opentsdb.answer(good, summary=True) == (200, {"success": 1, "failed": 0})
    assert opentsdb.answer(partly).status == 400
    assert opentsdb.answer(partly, summary=True) == (400, {"success": 1, "failed": 1})
    _, body = opentsdb.answer(partly, details=True)
    assert body["errors"][0]["error"] == Reason.VALUE


def test_what_victoriametrics_exports_for_no_value_is_left_out_or_refused():
    line = (
        b'{"metric":{"__name__":"m","job":"a"},"values":[1,null,"NaN",2],"timestamps":[1000,2000,3000,4000]}'
    )
    parsed = DOORS["victoriametrics"](line)
    assert rows(parsed) == [("m;job=a", 1, 1), ("m;job=a", 4, 2)]
    assert dict(parsed.refusals.counts) == {Reason.NO_VALUE: 1, Reason.NOT_FINITE: 1}
    status, text = victoriametrics.answer(parsed)
    assert status == 400
    assert "line 1" in text


@pytest.mark.parametrize("door", DOORS)
def test_more_samples_than_allowed_are_refused_as_a_whole(door, monkeypatch):
    monkeypatch.setitem(globals(), "LIMITS", Limits(samples=1))
    with pytest.raises(UnreadableBody) as raised:
        DOORS[door](written([("a", {}, 1, 2.0), ("a", {}, 2, 2.0)], door))
    assert raised.value.reason is Reason.TOO_MANY
