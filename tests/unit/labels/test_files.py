import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.errors import MisuseError
from htmengine.labels import files
from htmengine.labels.files import KINDS, Label

BEGIN = datetime(2024, 5, 1, 10, tzinfo=UTC).timestamp()

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=20)
TIMES = st.tuples(st.integers(-(10**9), 10**10), st.integers(0, 10**6)).map(lambda pair: (pair[0], sum(pair)))
LABELS = st.builds(
    lambda metric, times, kind, note: Label(metric, *map(float, times), kind, note.strip()),
    TEXT.map(str.strip).filter(bool),
    TIMES,
    st.sampled_from(KINDS),
    TEXT,
)


@given(st.lists(LABELS, max_size=5))
def test_labels_come_back_from_csv(labels):
    assert files.parse(files.as_csv(labels), "x") == labels


@given(st.lists(LABELS, max_size=5))
def test_anomalies_come_back_from_windows(labels):
    expected = sorted(
        label._replace(note="")
        for label in labels
        if label.kind == "anomaly" and not label.metric.endswith(".csv")
    )
    kept = [label for label in labels if not label.metric.endswith(".csv")]
    assert sorted(files.parse(files.as_windows(kept), "x")) == expected


def test_windows_of_the_benchmark_are_read():
    text = json.dumps(
        {"realAWS/cpu_5f5533.csv": [["2024-05-01 10:00:00.000000", "2024-05-01 10:30:00.000000"]], "a": []}
    )
    assert files.parse(text, "windows.json") == [Label("cpu_5f5533", BEGIN, BEGIN + 1800)]


def test_columns_may_lack_and_be_in_any_order():
    text = "to,metric,from\n2024-05-01T12:30+02:00,web.cpu,1714557600\n"
    assert files.parse(text, "x") == [Label("web.cpu", BEGIN, BEGIN + 1800)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column metric, from, to"),
        ("metric,from,to\na,nan,3\n", "line 2: 'nan' is no time"),
        ("metric,match,from,to\na,b*,1,2\n", "line 2: names a metric and a pattern"),
        ("metric,from\n", "no column to"),
        ("metric,from,to\na,1,2\nb,soon,3\n", "line 3: 'soon' is no time"),
        ("metric,from,to\na,5,2\n", "line 2: ends before it begins"),
        (
            "metric,from,to,kind\na,1,2,strange\n",
            "line 2: the kind 'strange' is none of anomaly, normal, ignore",
        ),
        ("metric,from,to\n,1,2\n", "line 2: names no metric"),
        ("metric,from,to\na\n", "line 2: '' is no time"),
        ('{"a": [[1]]}', "a: window 1"),
        ('{"a": 1}', "a: is no list of windows"),
        ("{", "is no JSON"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text, said):
    with pytest.raises(MisuseError, match=said) as error:
        files.parse(text, "labels.csv")
    assert str(error.value).startswith("labels.csv: ")
    assert error.value.hint


def test_patterns_and_who_made_a_label_come_back_from_csv():
    label = Label("", BEGIN, BEGIN + 60, "ignore", "moved", "web.*", "me", BEGIN + 100, BEGIN + 1000)
    assert files.parse(files.as_csv([label]), "x") == [label]


def test_what_is_wrong_costs_only_itself_where_the_rest_is_wanted():
    rows = files.parsed("metric,from,to\na,1,2\nb,soon,3\n,1,2\nc,1,2\n", "x")
    assert [label.metric for _, label in rows.labels] == ["a", "c"]
    assert [fault.split(":")[0] for fault in rows.faults] == ["line 3", "line 4"]
    windows = files.parsed(json.dumps({"a": [["1", "2"], None, 7, ["2", "1"]], "b": 7}), "x")
    assert [where for where, _ in windows.labels] == ["a: window 1"]
    assert len(windows.faults) == 4
