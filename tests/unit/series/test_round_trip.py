"""A series that is written in any shape reads back as it was."""

import bz2
import gzip
import io
import lzma
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.unit.series import shapes
from tests.unit.series.files import read, read_all, read_one, rows

SECONDS = st.integers(int(datetime(2001, 1, 1).timestamp()), int(datetime(2040, 1, 1).timestamp()))
VALUES = st.one_of(st.none(), st.integers(-(10**6), 10**6).map(lambda n: n / 100))
SERIES = st.dictionaries(SECONDS, VALUES, min_size=1, max_size=25).filter(
    lambda series: any(value is not None for value in series.values())
)
TIMES = {
    "ISO 8601": lambda m: f"{m:%Y-%m-%dT%H:%M:%SZ}",
    "blank": lambda m: f"{m:%Y-%m-%d %H:%M:%S}",
    "another zone": lambda m: (m + timedelta(minutes=330)).strftime("%Y-%m-%d %H:%M:%S+05:30"),
    "compact": lambda m: f"{m:%Y%m%dT%H%M%S}",
    "seconds": lambda m: str(shapes.epoch(m)),
    "milliseconds": lambda m: str(shapes.epoch(m) * 1000),
    "nanoseconds": lambda m: str(shapes.epoch(m) * 10**9),
    "day first": lambda m: f"{m:%d.%m.%Y %H:%M:%S}",
    "Apache": shapes.TIMES["Apache"],
    "JavaScript": shapes.TIMES["JavaScript"],
    "asctime": shapes.TIMES["asctime"],
    "week": shapes.TIMES["week"],
    "day of the year": shapes.TIMES["day of the year"],
}
PACKINGS = {
    "none": lambda data: data,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
    "zstd": zstandard.ZstdCompressor().compress,
    "zip": lambda data: zipped(data),
}


def zipped(data):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.csv", data)
    return file.getvalue()


def moment(second):
    return datetime.fromtimestamp(second, UTC)


@examples(50)
@given(
    series=SERIES,
    written=st.sampled_from(sorted(TIMES)),
    delimiter=st.sampled_from(",;\t|"),
    quoted=st.booleans(),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    packing=st.sampled_from(sorted(PACKINGS)),
    random=st.randoms(use_true_random=False),
    note=st.sampled_from([None, "ok", "it is,\nso; |to\tsay", 'with "quotes"']),
)
def test_delimited_text_reads_back(series, written, delimiter, quoted, end, encoding, packing, random, note):
    order = list(series)
    random.shuffle(order)
    lines = []
    for second in order:
        value = series[second]
        cells = [TIMES[written](moment(second)), "" if value is None else repr(value)]
        if quoted or any(delimiter in cell for cell in cells):
            cells = [f'"{cell}"' for cell in cells]
        if note is not None:
            escaped = note.replace('"', '""').replace("\n", end)
            cells.append(f'"{escaped}"')
        lines.append(delimiter.join(cells))
    names = ["time", "value", *(["note"] if note else [])]
    data = end.join([delimiter.join(names), *lines]).encode(encoding)
    assert read(PACKINGS[packing](data)) == sorted(series.items())


@examples(25)
@given(
    series=SERIES, header=st.booleans(), written=st.sampled_from(["ISO 8601", "blank", "seconds", "Apache"])
)
def test_text_between_blanks_reads_back(series, header, written):
    known = {second: value for second, value in series.items() if value is not None}
    lines = [f"{TIMES[written](moment(second))}   {value!r}" for second, value in sorted(known.items())]
    data = "\n".join(["time value", *lines] if header else lines)
    assert read(data) == sorted(known.items())


@examples(25)
@given(
    series=SERIES,
    shape=st.sampled_from(
        [
            shapes.json_rows,
            shapes.json_lines,
            shapes.prometheus,
            shapes.graphite,
            shapes.influxdb,
            shapes.open_meteo,
        ]
    ),
)
def test_json_reads_back(series, shape):
    minutes = {60 * (second // 60): value for second, value in series.items() if value is not None}
    given_points = [(moment(second), value) for second, value in sorted(minutes.items())]
    assert read(shape(given_points)) == sorted(minutes.items())


@examples(6)
@given(series=SERIES)
def test_a_workbook_and_a_parquet_file_read_back(series):
    pytest.importorskip("openpyxl")
    pytest.importorskip("pyarrow")
    known = sorted((second, value) for second, value in series.items() if value is not None)
    given_points = [(moment(second), value) for second, value in known]
    assert read(shapes.parquet(given_points), values=("load",)) == known
    assert read(shapes.workbook(given_points), values=("Load",)) == known


@examples(25)
@given(
    series=st.lists(SERIES, min_size=2, max_size=4),
    random=st.randoms(use_true_random=False),
)
def test_stacked_series_read_back_one_by_one(series, random):
    # In one stretch of time: shuffled, a row that lies years off the others is taken for a wrong time.
    series = [{978_307_200 + 60 * n: value for n, value in enumerate(one.values())} for one in series]
    lines = [
        f"{second},host{n},{'' if value is None else repr(value)}"
        for n, one in enumerate(series)
        for second, value in one.items()
    ]
    random.shuffle(lines)
    found = read_all("time,host,value\n" + "\n".join(lines), by=("host",))
    assert {one.label: rows(one) for one in found} == {
        f"host=host{n}": sorted(one.items()) for n, one in enumerate(series)
    }


@examples(25)
@given(
    first=st.integers(0, 10**9),
    step=st.sampled_from([300, 900, 1800, 3600]),
    count=st.integers(1, 60),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
)
def test_local_times_in_order_read_back_over_changes_of_clocks(first, step, count, zone):
    from zoneinfo import ZoneInfo

    tz = ZoneInfo(zone)
    # From the hours before a change of clocks on.
    begin = int(datetime(2024, 10, 26, 20, tzinfo=UTC).timestamp()) + first % (14 * 86400) // step * step
    seconds = [begin + step * i for i in range(count)]
    lines = [f"{moment(second).astimezone(tz):%Y-%m-%d %H:%M:%S},1" for second in seconds]
    series = read_one("time,value\n" + "\n".join(lines), tz=tz)
    # An hour that comes twice and of which only the second round is there cannot be told from the first.
    ambiguous = [i for i in range(count) if moment(seconds[i]).astimezone(tz).fold]
    if ambiguous and ambiguous[0] * step < 3600:
        return
    assert series.timestamps.tolist() == seconds
