"""The forms in which receivers take series, read back by our own doors."""

import math
from itertools import accumulate

import cramjam
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from htmengine.doors import remote_write
from htmengine.doors.limits import Limits
from htmengine.writeback import encoding
from htmengine.writeback.series import Batch

NOW = 1_790_000_000
COLUMNS = {"log_score": [0.1, math.nan], "usual_low": [4.0, 4.5], "alarm": [0.0, math.inf]}


def batch_of(metrics):
    """Return rows a minute apart of metrics by their names, whose columns are lists."""
    counts = [len(next(iter(columns.values()))) for columns in metrics.values()]
    series = {name: None for columns in metrics.values() for name in columns}
    return Batch(
        list(metrics),
        [0, *accumulate(counts)],
        np.array([NOW + 60 * row for count in counts for row in range(count)], dtype=np.int64),
        {
            name: np.concatenate([np.array(one[name], dtype=float) for one in metrics.values()])
            for name in series
        },
    )


def test_lines_of_graphite():
    batch = batch_of({"web.requests;dc=a": COLUMNS, "b": {name: [1e-7, 1e22] for name in COLUMNS}})
    text = encoding.graphite_lines(batch, "htm").decode()
    assert text.splitlines() == [
        f"htm.log_score.web.requests;dc=a 0.1 {NOW}",
        f"htm.log_score.b 1e-7 {NOW}",
        f"htm.log_score.b 1e22 {NOW + 60}",
        f"htm.usual_low.web.requests;dc=a 4.0 {NOW}",
        f"htm.usual_low.web.requests;dc=a 4.5 {NOW + 60}",
        f"htm.usual_low.b 1e-7 {NOW}",
        f"htm.usual_low.b 1e22 {NOW + 60}",
        f"htm.alarm.web.requests;dc=a 0.0 {NOW}",
        f"htm.alarm.b 1e-7 {NOW}",
        f"htm.alarm.b 1e22 {NOW + 60}",
    ]


def test_lines_of_influx():
    nothing = {name: [math.nan] for name in COLUMNS}
    batch = batch_of({"a": nothing, "web.requests;dc=a b;host=x,y": COLUMNS})
    text = encoding.influx_lines(batch, "htm").decode()
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


@given(
    st.dictionaries(
        NAMES, st.lists(st.one_of(NUMBERS, st.just(math.nan)), min_size=1, max_size=4), max_size=4
    ),
    st.sampled_from([0, 1 - NOW, 200 - NOW, 2 * NOW, -2 * NOW]),
)
def test_remote_write_is_read_as_it_was_written(metrics, shift):
    batch = batch_of({name: {"log_score": numbers} for name, numbers in metrics.items()})
    batch = batch._replace(timestamps=batch.timestamps + shift)
    body = bytes(cramjam.snappy.decompress_raw(encoding.remote_write(batch, "htm")))
    found = remote_write.parse(
        body, remote_write.Version.V1, Limits(), drop_labels=frozenset(), buckets=False
    )
    read = sorted(zip(found.samples.names, found.samples.timestamps, found.samples.values, strict=True))
    written = []
    for name, numbers in metrics.items():
        base, *tags = name.split(";")
        series = f"htm_log_score;{';'.join(sorted([*tags, f'metric={base}']))}"
        written += [(series, NOW + shift + 60 * i, n) for i, n in enumerate(numbers) if n == n]
    assert read == sorted(written)


def test_labels_are_sorted_by_their_names():
    batch = batch_of({"web.requests;Zone=z;_=low;dc=a": {"alarm": [0.0, 1.0]}})
    body = bytes(cramjam.snappy.decompress_raw(encoding.remote_write(batch, "htm")))
    labels = [b"Zone", b"_", b"__name__", b"dc", b"metric"]
    assert (
        sorted(labels, key=lambda label: body.index(b"\n" + bytes([len(label)]) + label + b"\x12")) == labels
    )
