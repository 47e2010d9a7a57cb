"""The forms in which receivers take series, read back by our own doors."""

import math

import cramjam
from hypothesis import given
from hypothesis import strategies as st

from htmengine.doors import remote_write
from htmengine.doors.limits import Limits
from htmengine.writeback import encoding
from htmengine.writeback.series import MetricRows

NOW = 1_790_000_000
METRIC = MetricRows(
    "web.requests;dc=a b;host=x,y",
    [NOW, NOW + 60],
    {"log_score": [0.1, math.nan], "usual_low": [4.0, 4.5], "alarm": [0.0, math.nan]},
)


def test_lines_of_graphite():
    text = encoding.graphite_lines([METRIC._replace(name="web.requests;dc=a")], "htm").decode()
    assert text.splitlines() == [
        f"htm.log_score.web.requests;dc=a 0.1 {NOW}",
        f"htm.usual_low.web.requests;dc=a 4.0 {NOW}",
        f"htm.usual_low.web.requests;dc=a 4.5 {NOW + 60}",
        f"htm.alarm.web.requests;dc=a 0.0 {NOW}",
    ]


def test_lines_of_influx():
    text = encoding.influx_lines([METRIC], "htm").decode()
    assert text.splitlines() == [
        rf"htm,metric=web.requests,dc=a\ b,host=x\,y log_score=0.1,usual_low=4.0,alarm=0.0 {NOW}",
        rf"htm,metric=web.requests,dc=a\ b,host=x\,y usual_low=4.5 {NOW + 60}",
    ]


NAMES = st.from_regex(r"[a-z.]{1,9}(;[a-z]{1,4}=[a-z0-9.]{1,4}){0,2}", fullmatch=True).filter(
    lambda name: (
        len({pair.partition("=")[0] for pair in name.split(";")[1:]} | {"metric"}) == len(name.split(";"))
    )
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=64)


@given(st.dictionaries(NAMES, st.lists(NUMBERS, min_size=1, max_size=4), max_size=4))
def test_remote_write_is_read_as_it_was_written(metrics):
    rows = [
        MetricRows(name, [NOW + 60 * i for i in range(len(numbers))], {"log_score": numbers})
        for name, numbers in metrics.items()
    ]
    body = bytes(cramjam.snappy.decompress_raw(encoding.remote_write(rows, "htm")))
    found = remote_write.parse(
        body, remote_write.Version.V1, Limits(), drop_labels=frozenset(), buckets=False
    )
    read = sorted(zip(found.samples.names, found.samples.timestamps, found.samples.values, strict=True))
    written = []
    for name, numbers in metrics.items():
        base, *tags = name.split(";")
        pairs = sorted([*tags, f"metric={base}"])
        written += [(f"htm_log_score;{';'.join(pairs)}", NOW + 60 * i, n) for i, n in enumerate(numbers)]
    assert read == sorted(written)


def test_labels_are_sorted_by_their_names():
    metric = METRIC._replace(name="web.requests;Zone=z;_=low;dc=a", columns={"alarm": [0.0, 1.0]})
    body = bytes(cramjam.snappy.decompress_raw(encoding.remote_write([metric], "htm")))
    labels = [b"Zone", b"_", b"__name__", b"dc", b"metric"]
    assert (
        sorted(labels, key=lambda label: body.index(b"\n" + bytes([len(label)]) + label + b"\x12")) == labels
    )
