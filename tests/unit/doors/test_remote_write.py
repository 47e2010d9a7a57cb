import math
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.doors import names, remote_write
from htmengine.doors.limits import Limits
from htmengine.doors.reasons import Reason
from htmengine.doors.remote_write import Version, answer, parse, version
from htmengine.doors.samples import Kind, UnreadableBody
from tests.unit.doors.prometheus import (
    NOW_MS,
    double,
    field,
    histogram,
    integer,
    request_v2,
    sample,
    series_v1,
    varint,
)

LIMITS = Limits()
STALE = struct.unpack(">d", bytes.fromhex("7ff0000000000002"))[0]


def rows(received):
    samples = received.samples
    return list(zip(samples.names, samples.timestamps, samples.values, samples.kinds, strict=True))


LABELS = st.dictionaries(st.text("abc_ü", min_size=1, max_size=5), st.text(max_size=6), max_size=4)
VALUES = st.floats(allow_nan=False, allow_infinity=False)
TIMES = st.integers(0, 4 * 10**12)
SERIES = st.lists(
    st.tuples(st.text("xyz", min_size=1), LABELS, st.lists(st.tuples(VALUES, TIMES), max_size=3))
)


def expected(series):
    tags = [
        (base, {k: v for k, v in labels.items() if not k.startswith("__")}, points)
        for base, labels, points in series
    ]
    return [
        (names.canonical(base, kept), ms / 1000, value, Kind.GAUGE)
        for base, kept, points in tags
        for value, ms in points
    ]


@given(SERIES)
def test_samples_of_version_1_are_read(series):
    body = b"".join(
        series_v1({"__name__": base, **labels}, [sample(*point) for point in points])
        for base, labels, points in series
    )
    received = parse(body, Version.V1, LIMITS)
    assert rows(received) == expected(series)
    assert received.samples_written == len(rows(received))
    assert not received.refusals


@given(SERIES, st.booleans())
def test_samples_of_version_2_are_read(series, packed):
    body = request_v2(
        *[
            ({"__name__": base, **labels}, [sample(*point) for point in points], 2, packed)
            for base, labels, points in series
        ]
    )
    received = parse(body, Version.V2, LIMITS)
    assert rows(received) == expected(series)
    assert received.samples_written == len(rows(received))


@given(st.binary(max_size=300), st.sampled_from(Version))
def test_random_bytes_are_read_or_refused(body, of):
    with suppress(UnreadableBody):
        parse(body, of, LIMITS)


@given(SERIES, st.sampled_from(Version), st.data())
def test_damaged_requests_are_read_or_refused(series, of, data):
    labelled = [
        ({"__name__": base, **labels}, [sample(*p) for p in points]) for base, labels, points in series
    ]
    body = bytearray(
        request_v2(*[(*one, 0, True) for one in labelled])
        if of is Version.V2
        else b"".join(series_v1(*one) for one in labelled)
    )
    for _ in range(data.draw(st.integers(1, 3)) if body else 0):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    with suppress(UnreadableBody):
        parse(bytes(body), of, LIMITS)


def test_a_request_larger_than_a_piece_is_read_whole():
    body = b"".join(series_v1({"__name__": "m", "n": f"{n:05}"}, [sample(float(n))]) for n in range(5000))
    assert len(body) > 3 << 16
    assert [value for _, _, value, _ in rows(parse(body, Version.V1, LIMITS))] == list(range(5000))


def test_labels_are_told_apart_also_where_the_same_bytes_are_divided_otherwise():
    job, nothing = field(1, b"job") + field(2, b"a"), b""
    bodies = [
        field(1, b"".join(field(1, label) for label in labels) + field(2, sample(1.0)))
        for labels in (
            (field(1, b"__name__") + field(2, b"m"), job),
            (field(1, b"__name__") + field(2, b"m") + job, nothing),
            (field(1, b"__name__") + field(2, b"m"), field(1, b"job"), field(2, b"a")),
        )
    ]
    found = [parse(body, Version.V1, LIMITS).samples.names for body in bodies * 2]
    assert found == [["m;job=a"], [], ["m"]] * 2


def test_labels_are_dropped_or_not_as_the_settings_say_at_the_time():
    body = series_v1({"__name__": "m", "replica": "a"}, [sample(1.0)])
    for drop, name in (((), "m;replica=a"), (("replica",), "m"), ((), "m;replica=a")):
        assert parse(body, Version.V1, LIMITS, drop_labels=frozenset(drop)).samples.names == [name]


def test_labels_longer_than_what_is_remembered_are_read_each_time():
    body = series_v1({"__name__": "m", "long": "x" * 1000}, [sample(1.0)])
    for _ in range(2):
        assert parse(body, Version.V1, LIMITS, drop_labels=frozenset({"long"})).samples.names == ["m"]
        assert parse(body, Version.V1, LIMITS).refusals.counts == {Reason.LONG_NAME: 1}


def test_fields_that_are_not_known_are_skipped():
    unknown = integer(77, 5) + double(78, 1.5) + field(79, b"\xff") + varint(80 << 3 | 5) + b"abcd"
    one = series_v1({"__name__": "m"}, [sample(1.0) + unknown])
    assert len(rows(parse(unknown + one + unknown, Version.V1, LIMITS))) == 1


def test_absent_numbers_are_zero():
    received = parse(series_v1({"__name__": "m"}, [b""]), Version.V1, LIMITS)
    assert rows(received) == [("m", 0, 0, Kind.GAUGE)]


@pytest.mark.parametrize(
    ("name", "labels", "kind"),
    [
        ("up", {}, Kind.GAUGE),
        ("http_requests_total", {}, Kind.COUNTER),
        ("latency_sum", {}, Kind.COUNTER),
        ("latency_count", {}, Kind.COUNTER),
        ("latency", {"quantile": "0.9"}, Kind.GAUGE),
        ("leaky_bucket", {}, Kind.GAUGE),
        ("node_netstat_Tcp_InSegs", {}, Kind.COUNTER),
        ("node_netstat_Tcp_CurrEstab", {}, Kind.GAUGE),
        ("node_netstat_Ip_Forwarding", {}, Kind.GAUGE),
        ("node_vmstat_pgfault", {}, Kind.COUNTER),
        ("node_vmstat_nr_free_pages", {}, Kind.GAUGE),
    ],
)
def test_version_1_tells_counters_by_their_suffix(name, labels, kind):
    received = parse(series_v1({"__name__": name, **labels}, [sample(5.0)]), Version.V1, LIMITS)
    assert received.samples.kinds == [kind]


@pytest.mark.parametrize(
    ("kind", "name", "found"),
    [
        (0, "m_total", Kind.COUNTER),
        (1, "m", Kind.COUNTER),
        (2, "m_total", Kind.GAUGE),
        (2, "m_count", Kind.GAUGE),
        (3, "m_count", Kind.COUNTER),
        (5, "m_sum", Kind.COUNTER),
        (5, "m", Kind.GAUGE),
        (99, "m", Kind.GAUGE),
    ],
)
def test_version_2_says_itself_what_a_counter_is(kind, name, found):
    body = request_v2(({"__name__": name}, [sample(5.0, start=NOW_MS - 1000)], kind, True))
    samples = parse(body, Version.V2, LIMITS).samples
    assert samples.kinds == [found]
    assert samples.starts == [(NOW_MS - 1000) / 1000 if found is Kind.COUNTER else None]


def test_the_mean_of_a_histogram_comes_from_its_sum_and_count():
    labels = {"job": "a"}
    body = b"".join(
        series_v1(
            {"__name__": f"latency_{part}", **labels}, [sample(value), sample(value + 1, NOW_MS + 1000)]
        )
        for part, value in [("count", 4.0), ("sum", 10.0)]
    )
    samples = parse(body, Version.V1, LIMITS).samples
    assert samples.names[4:] == ["latency.mean;job=a"] * 2
    assert samples.values[4:] == [10, 11]
    assert samples.counts[4:] == [4, 5]
    assert samples.kinds[4:] == [Kind.MEAN] * 2
    assert samples.timestamps[4:] == [NOW_MS / 1000, NOW_MS / 1000 + 1]


@pytest.mark.parametrize(
    ("counters", "kind"), [("rate", Kind.COUNTER), ("delta", Kind.INCREASE), ("raw", Kind.GAUGE)]
)
def test_counters_become_what_is_asked_for_and_means_stay(counters, kind):
    body = b"".join(
        series_v1({"__name__": f"latency_{part}"}, [sample(value)])
        for part, value in [("count", 4.0), ("sum", 9.0)]
    ) + series_v1({"__name__": "level"}, [sample(7.0)])
    samples = parse(body, Version.V1, LIMITS, counters=counters).samples
    assert dict(zip(samples.names, samples.kinds, strict=True)) == {
        "latency_count": kind,
        "latency_sum": kind,
        "level": Kind.GAUGE,
        "latency.mean": Kind.MEAN,
    }


def test_buckets_are_left_out_unless_asked_for():
    body = series_v1({"__name__": "latency_bucket", "le": "0.5"}, [sample(5.0), sample(6.0)])
    received = parse(body, Version.V1, LIMITS)
    assert not rows(received)
    assert dict(received.refusals.counts) == {Reason.BUCKET: 2}
    assert received.samples_written == 2
    assert parse(body, Version.V1, LIMITS, buckets=True).samples.kinds == [Kind.COUNTER] * 2


def test_a_native_histogram_gives_rate_and_mean():
    body = series_v1({"__name__": "latency", "job": "a"}, (), [histogram(4, 10.0), histogram(4, 1.0, hint=3)])
    received = parse(body, Version.V1, LIMITS)
    assert rows(received) == [
        ("latency.rate;job=a", NOW_MS / 1000, 4, Kind.COUNTER),
        ("latency.mean;job=a", NOW_MS / 1000, 10, Kind.MEAN),
    ]
    assert dict(received.refusals.counts) == {Reason.NATIVE_HISTOGRAM: 1}
    assert received.histograms_written == 2


def test_the_stale_marker_ends_a_series_and_no_other_nan_does():
    body = series_v1(
        {"__name__": "m"}, [sample(STALE), sample(float("nan")), sample(float("inf")), sample(1.0)]
    )
    received = parse(body, Version.V1, LIMITS)
    assert [kind for *_, kind in rows(received)] == [Kind.ENDED, Kind.GAUGE]
    assert dict(received.refusals.counts) == {Reason.NOT_FINITE: 2}
    assert received.samples_written == 2


def test_reserved_and_dropped_labels_are_no_part_of_the_name():
    body = series_v1({"__name__": "m", "__tmp": "x", "replica": "1", "job": "a"}, [sample(1.0)])
    received = parse(body, Version.V1, LIMITS, drop_labels=frozenset({"replica"}))
    assert received.samples.names == ["m;job=a"]


def test_a_series_without_a_name_leaves_its_neighbours():
    good = series_v1({"__name__": "m"}, [sample(1.0)])
    received = parse(good + series_v1({"job": "a"}, [sample(1.0)] * 2) + good, Version.V1, LIMITS)
    assert len(rows(received)) == 2
    assert dict(received.refusals.counts) == {Reason.NO_NAME: 2}
    assert received.samples_written == 2


def test_a_label_that_refers_to_no_symbol_refuses_the_request():
    for references in ([1, 7], [1]):
        body = field(4, b"") + field(4, b"m") + field(5, field(1, bytes(references)) + field(2, sample(1.0)))
        with pytest.raises(UnreadableBody):
            parse(body, Version.V2, LIMITS)


def test_limits_hold():
    body = series_v1({"__name__": "m"}, [sample(1.0)] * 3)
    assert len(rows(parse(body, Version.V1, Limits(samples=3)))) == 3
    with pytest.raises(UnreadableBody) as raised:
        parse(body, Version.V1, Limits(samples=2))
    assert raised.value.reason is Reason.TOO_MANY
    with pytest.raises(UnreadableBody) as raised:
        parse(series_v1({"__name__": "m" * (5 << 20)}), Version.V1, LIMITS)
    assert raised.value.reason is Reason.TOO_LARGE


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/x-protobuf", Version.V1),
        ("application/x-protobuf;proto=prometheus.WriteRequest", Version.V1),
        ("application/x-protobuf; proto=io.prometheus.write.v2.Request", Version.V2),
        ("application/x-protobuf;proto=other", None),
        ("application/json", None),
        ("", None),
    ],
)
def test_the_content_type_alone_chooses_the_message(content_type, expected):
    assert version(content_type) is expected


def test_answers_tell_the_sender_what_was_written():
    good = parse(request_v2(({"__name__": "m"}, [sample(1.0)], 0, True)), Version.V2, LIMITS)
    assert answer(good, Version.V1) == remote_write.Answer(204, {}, "")
    status, headers, text = answer(good, Version.V2)
    assert (status, text) == (204, "")
    assert headers == {
        "X-Prometheus-Remote-Write-Samples-Written": "1",
        "X-Prometheus-Remote-Write-Histograms-Written": "0",
        "X-Prometheus-Remote-Write-Exemplars-Written": "0",
    }
    bad = parse(request_v2(({"__name__": "m"}, [sample(1.0), sample(math.inf)], 0, True)), Version.V2, LIMITS)
    status, headers, text = answer(bad, Version.V2)
    assert (status, text) == (400, "the value is not finite: 1\n")
    assert headers["X-Prometheus-Remote-Write-Samples-Written"] == "1"
