import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.doors import statsd_aggregation
from htmengine.doors.reasons import Reason
from htmengine.doors.samples import Refusals, Samples
from htmengine.doors.statsd import COUNTER, GAUGE, SET, TIMER, Dialect, Reader, Record, parse
from htmengine.doors.statsd_aggregation import IDLE, STATISTICS, Aggregation, Series

INTERVAL = 10.0
END = 1_700_000_000.0


def read(text):
    refusals = Refusals()
    return parse(text.encode(), refusals), [refusal.reason for refusal in refusals.details]


@pytest.mark.parametrize(
    ("line", "records"),
    [
        ("hits:1|c", [Record("hits", COUNTER, 1)]),
        ("hits:3|c|@0.1", [Record("hits", COUNTER, 3, rate=0.1)]),
        ("hits:3|m", [Record("hits", COUNTER, 3)]),
        ("load:1.5|g", [Record("load", GAUGE, 1.5)]),
        ("load:+4|g", [Record("load", GAUGE, 4, relative=True)]),
        ("load:-10|g|@0.5", [Record("load", GAUGE, -10, relative=True)]),
        ("t:320|ms", [Record("t", TIMER, 320)]),
        ("t:1:2:3|d", [Record("t", TIMER, 1), Record("t", TIMER, 2), Record("t", TIMER, 3)]),
        ("n:1|c:2|c", [Record("n", COUNTER, 1), Record("n", COUNTER, 2)]),
        ("n:1|c|@0.5:2|c", [Record("n", COUNTER, 1, rate=0.5), Record("n", COUNTER, 2)]),
        ("users:alice|s", [Record("users", SET, 0, member="alice")]),
        ("a:1|h|#env:prod,shell|@0.5", [Record("a;env=prod;shell=true", TIMER, 1, rate=0.5)]),
        ("a:1|c|#url:http://x|c:ci-0123abc|e:it-1|card:low", [Record("a;url=http://x", COUNTER, 1)]),
        ("a:5|g|T1700000000", [Record("a", GAUGE, 5, timestamp=1_700_000_000)]),
        ("a:5|ms|T1700000000", [Record("a", TIMER, 5)]),
        ("some name/with%signs;dc=a:1|c", [Record("some_name-withsigns;dc=a", COUNTER, 1)]),
        ("a:1|c|unknown", [Record("a", COUNTER, 1)]),
        (" a:1|c \r", [Record("a", COUNTER, 1)]),
    ],
)
def test_a_line_is_read(line, records):
    assert read(line) == (records, [])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a", Reason.SYNTAX),
        ("a:1", Reason.SYNTAX),
        ("a:1|c:2", Reason.SYNTAX),
        ("a:1|x", Reason.STATSD_TYPE),
        ("a:|c", Reason.VALUE),
        ("a:x|c", Reason.VALUE),
        ("a:1_0|c", Reason.VALUE),
        ("a:nan|g", Reason.NOT_FINITE),
        ("a:|s", Reason.SYNTAX),
        ("a:1|c|@0", Reason.SAMPLE_RATE),
        ("a:1|c|@x", Reason.SAMPLE_RATE),
        ("a:1|g|Tx", Reason.TIMESTAMP),
        ("a:1|g|T1e20", Reason.TIMESTAMP_RANGE),
        (":1|c", Reason.NO_NAME),
        ("%:1|c", Reason.NO_NAME),
        ("m" * 256 + ":1|c", Reason.LONG_NAME),
        ("_e{5,4}:title|text", Reason.EVENT),
        ("_sc|Redis connection|2", Reason.EVENT),
    ],
)
def test_a_bad_line_costs_only_itself(line, reason):
    records, refused = read(f"ok:1|c\n{line}\nok:2|c")
    assert records == [Record("ok", COUNTER, 1), Record("ok", COUNTER, 2)]
    assert refused == [reason]


@given(st.binary(max_size=100))
def test_random_bytes_raise_nothing(data):
    parse(data, Refusals())
    Reader().feed(data + b"\n", Refusals())


@given(
    st.lists(st.sampled_from(["a:1|c", "b:2|g", "c:3|ms|#k:v", "bad", "", "d:x|s"]), max_size=10),
    st.lists(st.integers(0, 100)),
)
def test_any_cut_of_a_connection_gives_the_same_records(lines, cuts):
    sent = "".join(f"{line}\n" for line in lines).encode()
    reader, refusals, found, at = Reader(), Refusals(), [], 0
    for cut in [*sorted(cut for cut in cuts if cut < len(sent)), len(sent)]:
        found += reader.feed(sent[at:cut], refusals)
        at = cut
    expected, refused = read("\n".join(lines))
    assert found == expected
    assert refusals.counts.total() == len(refused)


def test_a_line_that_is_too_long_is_skipped_up_to_its_end():
    reader, refusals = Reader(), Refusals()
    for _ in range(3):
        assert reader.feed(b"x" * 40_000, refusals) == []
    assert reader.feed(b":1|c\nok:1|c\n", refusals) == [Record("ok", COUNTER, 1)]
    assert dict(refusals.counts) == {Reason.LONG_LINE: 1}


# -- Aggregation


def flushed(*intervals, **options):
    """Return, for each interval of lines, the samples by name."""
    aggregation, found = Aggregation(INTERVAL, **options), []
    for text in intervals:
        samples, refusals = Samples.empty(), Refusals()
        aggregation.add(parse(text.encode(), refusals), samples, refusals)
        done = aggregation.flush(END, refusals)
        assert not refusals
        assert set(done.timestamps) <= {END}
        found.append(dict(zip(done.names, done.values, strict=True)))
    return found


def test_a_counter_becomes_a_rate_and_is_zero_while_nothing_happens():
    assert flushed("hits:3|c|@0.1\nhits:5|c", "", "hits:10|c") == [
        {"hits": 3.5},
        {"hits": 0.0},
        {"hits": 1.0},
    ]


def test_a_gauge_keeps_its_value_and_takes_changes_in_their_order():
    assert flushed("g:5|g\ng:+4|g\ng:-10|g", "", "g:0|g\ng:-5|g") == [{"g": -1.0}, {"g": -1.0}, {"g": -5.0}]


def test_a_change_of_a_gauge_that_is_not_known_sets_it():
    assert flushed("g:-5|g\ng:+4|g") == [{"g": -1.0}]


def test_a_timer_gives_what_statsd_gives():
    values = "\n".join(f"t:{n}|ms" for n in range(10, 0, -1))
    (found,) = flushed(values)
    assert found == {"t.count_ps": 1.0, "t.mean": 5.5, "t.upper_90": 9.0, "t.upper": 10.0}


def test_a_sample_rate_scales_the_count_of_a_timer_and_nothing_else():
    (found,) = flushed("\n".join(f"t:{n}|ms|@0.5" for n in range(1, 11)))
    assert found == {"t.count_ps": 2.0, "t.mean": 5.5, "t.upper_90": 9.0, "t.upper": 10.0}


def test_one_value_is_its_own_percentile_and_an_idle_timer_says_only_that():
    assert flushed("t;k=v:7|ms", "") == [
        {"t.count_ps;k=v": 0.1, "t.mean;k=v": 7.0, "t.upper_90;k=v": 7.0, "t.upper;k=v": 7.0},
        {"t.count_ps;k=v": 0.0},
    ]


def test_a_set_counts_its_members_once():
    assert flushed("s:a|s\ns:b|s\ns:a|s", "") == [{"s.count": 2.0}, {}]


def test_what_says_nothing_for_long_is_given_up():
    found = flushed("c:1|c\ng:5|g\nt:1|ms", *[""] * (IDLE + 2))
    assert set(found[IDLE]) == {"c", "g", "t.count_ps"}
    assert found[IDLE + 1] == found[IDLE + 2] == {}


def test_a_value_with_a_time_of_its_own_is_a_sample_at_once():
    samples, refusals = Samples.empty(), Refusals()
    aggregation = Aggregation(INTERVAL)
    aggregation.add(parse(b"a:5|g|T1700000000", refusals), samples, refusals)
    assert (samples.names, samples.timestamps, samples.values) == (["a"], [1_700_000_000], [5])
    assert not aggregation.flush(END, refusals).names


def test_more_names_than_allowed_are_refused_and_the_others_go_on():
    aggregation, samples, refusals = Aggregation(INTERVAL, max_names=2), Samples.empty(), Refusals()
    aggregation.add(parse(b"a:1|c\nb:1|c\nc:1|c\na:1|c", refusals), samples, refusals)
    assert dict(refusals.counts) == {Reason.MANY_NAMES: 1}
    assert aggregation.flush(END, refusals).names == ["a", "b"]


def test_many_values_of_a_timer_are_sampled_and_their_mean_and_maximum_are_exact(monkeypatch):
    monkeypatch.setattr(statsd_aggregation, "MAX_KEPT", 1000)
    (found,) = flushed("\n".join(f"t:{n}|ms" for n in range(10_000)))
    assert found["t.mean"] == 4999.5
    assert found["t.upper"] == 9999
    assert found["t.upper_90"] == pytest.approx(9000, abs=400)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_the_percentile_agrees_with_the_rule_of_statsd(values):
    (found,) = flushed("\n".join(f"t:{value!r}|ms" for value in values))
    count = max(math.floor(0.9 * len(values) + 0.5), 1)
    assert found["t.upper_90"] == sorted(values)[count - 1]


# -- Options


def test_a_sign_may_be_that_of_the_value():
    records = parse(b"g:5|g\ng:-2|g\ng:+1|g", Refusals(), Dialect(signed_gauges="absolute"))
    assert records == [Record("g", GAUGE, 5), Record("g", GAUGE, -2), Record("g", GAUGE, 1)]


def test_names_may_be_left_as_they_are():
    records = parse("grüße/a b;dc=a:1|c".encode(), Refusals(), Dialect(sanitize="none"))
    assert records == [Record("grüße/a_b;dc=a", COUNTER, 1)]


def test_names_may_be_those_of_statsd():
    text = "c;k=v:3|c\ng:5|g\nt:1|ms\ns:a|s"
    (found,) = flushed(text, series=Series(legacy_names=True, timers=("mean",)))
    assert found == {
        "stats.c;k=v": 0.3,
        "stats_counts.c;k=v": 3.0,
        "stats.gauges.g": 5.0,
        "stats.timers.t.mean": 1.0,
        "stats.sets.s.count": 1.0,
    }


def test_names_may_have_a_prefix_and_counters_their_counts():
    (found,) = flushed("c:3|c\ng:5|g", series=Series(prefix="app.", counts=True))
    assert found == {"app.c": 0.3, "app.c.count": 3.0, "app.g": 5.0}


def test_a_name_that_becomes_too_long_is_refused():
    aggregation, refusals = Aggregation(INTERVAL, Series(prefix="p." * 10)), Refusals()
    samples = Samples.empty()
    aggregation.add(parse(b"m" * 250 + b":1|c\nok:1|c", refusals), samples, refusals)
    aggregation.add(parse(b"n" * 250 + b":1|g|T1700000000", refusals), samples, refusals)
    assert aggregation.flush(END, refusals).names == ["p." * 10 + "ok"]
    assert not samples.names
    assert dict(refusals.counts) == {Reason.LONG_NAME: 2}


def test_percentiles_of_the_smallest_and_of_the_largest():
    series = Series(
        timers=("count_p", "mean_p", "upper_p", "sum_p", "sum_squares_p"), percentiles=(90, -10, 99.9)
    )
    (found,) = flushed("\n".join(f"t:{n}|ms" for n in range(1, 11)), series=series)
    assert found == {
        **{"t.count_90": 9, "t.mean_90": 5, "t.upper_90": 9, "t.sum_90": 45, "t.sum_squares_90": 285},
        **{"t.count_top10": 1, "t.mean_top10": 10, "t.lower_top10": 10},
        **{"t.sum_top10": 10, "t.sum_squares_top10": 100},
        **{"t.count_99_9": 10, "t.mean_99_9": 5.5, "t.upper_99_9": 10},
        **{"t.sum_99_9": 55, "t.sum_squares_99_9": 385},
    }


def test_a_percentile_of_no_value_gives_nothing():
    assert flushed("t:1|ms\nt:2|ms", series=Series(timers=("upper_p",), percentiles=(10, 50))) == [
        {"t.upper_50": 1.0}
    ]


def test_an_idle_timer_says_only_how_often_it_came():
    _, idle = flushed("t:1|ms", "", series=Series(timers=STATISTICS))
    assert idle == {"t.count": 0.0, "t.count_ps": 0.0}


def test_statistics_of_a_sample_of_many_values_stand_for_all(monkeypatch):
    monkeypatch.setattr(statsd_aggregation, "MAX_KEPT", 1000)
    (found,) = flushed("\n".join(f"t:{n}|ms" for n in range(10_000)), series=Series(timers=STATISTICS))
    assert found["t.count_90"] == 9000
    assert found["t.sum_90"] == pytest.approx(sum(range(9000)), rel=0.1)
    assert found["t.sum_squares_90"] == pytest.approx(sum(n * n for n in range(9000)), rel=0.15)
    assert found["t.std"] == pytest.approx(2886.75, rel=0.1)
    assert (found["t.sum"], found["t.lower"]) == (sum(range(10_000)), 0)
