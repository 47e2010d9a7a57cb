import pytest

from tests.unit.series import shapes
from tests.unit.series.files import read_one

POINTS = shapes.points()


def agree(series, *, fraction=0.0, scale=1.0, given=POINTS):
    assert [round(time, 3) for time in series.timestamps.tolist()] == [
        moment.timestamp() + fraction for moment, _ in given
    ]
    assert series.values.tolist() == pytest.approx([value * scale for _, value in given])
    assert series.bad.count == 0


@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_what_a_tool_writes_is_read(shape):
    agree(read_one(shapes.SHAPES[shape](POINTS)))


@pytest.mark.parametrize("written", shapes.TIMES)
def test_a_time_as_a_program_writes_it_is_read(written):
    fraction = {"US, fraction": 0.49, "Apache, errors": 0.123}.get(written, 0.0)
    agree(read_one(shapes.as_written(shapes.TIMES[written])(POINTS)), fraction=fraction)


def test_values_with_units_are_read_in_their_base():
    series = read_one(shapes.grafana_units(POINTS))
    agree(series, scale=2.0**30)
    assert series.value.format.unit == "B"


def test_a_workbook_is_read():
    pytest.importorskip("openpyxl")
    agree(read_one(shapes.workbook(POINTS)))


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_a_parquet_file_is_read(unit):
    pytest.importorskip("pyarrow")
    agree(read_one(shapes.parquet(POINTS, unit)))
