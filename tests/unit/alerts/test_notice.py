import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.alerts.notice import (
    Link,
    MetricFacts,
    body_lines,
    decode,
    encode,
    sentence_of,
    trial_notice,
)
from tests.unit.alerts.notices import FIRST, notice

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
METRICS = st.builds(
    MetricFacts,
    name=st.text(max_size=255),
    first=NUMBERS,
    value=st.none() | NUMBERS,
    usual=st.none() | st.tuples(NUMBERS, NUMBERS),
    sentence=st.text(),
)


@given(metrics=st.lists(METRICS, max_size=20), sentence=st.text(), url=st.text())
def test_a_notice_comes_back_as_it_was_stored(metrics, sentence, url):
    sent = notice(metrics=tuple(metrics), sentence=sentence, actions=(Link("Acknowledge", url),))
    assert decode(encode(sent)) == sent


@pytest.mark.parametrize("id_", ["", "a b", "a\r\nX-Header: b", "<a>", "é", ".a", "a" * 65])
def test_ids_that_could_not_stand_in_a_header_are_refused(id_):
    stored = msgspec.json.decode(encode(notice()))
    with pytest.raises(msgspec.ValidationError):
        decode(msgspec.json.encode(stored | {"incident": id_}))


@pytest.mark.parametrize(
    ("sent", "title"),
    [
        (notice(), "Warning: db.latency;dc=a and 1 other metric"),
        (notice(metric_count=1, severity="info"), "Info: db.latency;dc=a"),
        (notice("resolved"), "Resolved: db.latency;dc=a and 1 other metric"),
        (notice("resolved", merged_into="i3", metric_count=1), "Part of i3: db.latency;dc=a"),
        (
            notice(subject="engine", first_mover="disk", metric_count=0, severity="critical"),
            "Critical: htmengine: disk",
        ),
        (trial_notice("t1", "here", 1.0), "Test message of htmengine"),
    ],
)
def test_the_title_says_what_it_is_about_and_whether_it_goes_on(sent, title):
    assert sent.title == title


def test_the_text_names_each_metric_with_its_lag_and_says_how_many_are_left_out():
    assert body_lines(notice(metric_count=40), metrics=2) == [
        f"{notice().sentence}.",
        f"db.latency;dc=a: {FIRST.sentence}",
        "+2 min web.errors: 71 is higher than ever before (usual 0 to 9)",
        "and 38 more metrics",
        "https://engine.example/i/i7",
        "Acknowledge: https://engine.example/i/i7?do=ack",
    ]


def test_the_text_of_one_metric_does_not_say_it_twice():
    lines = body_lines(notice(metrics=(FIRST,), metric_count=1, sentence=f"{FIRST.name}: {FIRST.sentence}"))
    assert lines[:2] == [f"{FIRST.name}: {FIRST.sentence}.", "https://engine.example/i/i7"]


def test_what_is_over_says_after_how_long():
    assert sentence_of(notice("resolved", sentence="x is odd")) == "x is odd; over after 1 h"
    assert sentence_of(notice("resolved", sentence="x is odd", merged_into="i3")).endswith("part of i3")


def test_the_first_notice_of_an_incident_names_its_group():
    assert notice().is_first
    assert not notice("grew", number=2).is_first
    assert notice().first.group == "db"
