import csv
import errno
import json
import math
import os
from datetime import UTC, datetime

import numpy as np
import pytest

from htmengine.errors import ExplainedError, MisuseError
from htmengine.htm.explanation import SeriesScores
from htmengine.series.writers import COLUMNS, SCORES, replacing, score_writer

TIMES = np.array([1404172800.0, 1404172800.25, 1404173100.0])
VALUES = np.array([0.1 + 0.2, np.nan, -1e-17])
SCORED = {name: np.array([1 / 3, np.nan, 0.99999]) + place for place, name in enumerate(SeriesScores._fields)}


def write(path):
    with score_writer(path) as writer:
        writer.write(TIMES[:2], VALUES[:2], scores(slice(0, 2)))
        writer.write(TIMES[2:], VALUES[2:], scores(slice(2, 3)))
    return path


def scores(rows):
    """Return scores of some rows, other numbers in each column."""
    return SeriesScores(**{name: column[rows] for name, column in SCORED.items()})


def same(found, expected):
    return all(
        (number is None and math.isnan(wanted)) or number == wanted
        for number, wanted in zip(found, expected.tolist(), strict=True)
    )


def test_csv_numbers_read_back_exactly(tmp_path):
    with write(tmp_path / "scores.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == COLUMNS
    assert [row[0] for row in rows] == [
        "2014-07-01T00:00:00Z",
        "2014-07-01T00:00:00.250000Z",
        "2014-07-01T00:05:00Z",
    ]
    assert same([float(row[1]) if row[1] else None for row in rows], VALUES)
    for name in SCORES:
        cells = [row[COLUMNS.index(name)] for row in rows]
        assert same([float(cell) if cell else None for cell in cells], SCORED[name])


def test_json_lines_read_back_exactly(tmp_path):
    rows = [json.loads(line) for line in write(tmp_path / "scores.jsonl").read_text().splitlines()]
    assert tuple(rows[0]) == COLUMNS
    assert same([row["value"] for row in rows], VALUES)
    for name in SCORES:
        assert same([row[name] for row in rows], SCORED[name])


def test_parquet_reads_back_exactly(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(write(tmp_path / "scores.parquet")).to_pydict()
    assert tuple(table) == COLUMNS
    assert table["timestamp"] == [datetime.fromtimestamp(time, UTC) for time in TIMES.tolist()]
    assert same(table["value"], VALUES)
    for name in SCORES:
        assert same(table[name], SCORED[name])


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_after_an_error_nothing_is_left_behind(tmp_path, ending):
    path = tmp_path / f"scores{ending}"
    path.write_text("before")

    def fail():
        with score_writer(path) as writer:
            writer.write(TIMES, VALUES, scores(slice(None)))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "before"


def test_a_full_disk_is_told_and_leaves_nothing_behind(tmp_path):
    def fill():
        with replacing(tmp_path / "scores.csv"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(
        ExplainedError, match=r"scores.csv: could not be written: No space left on device\."
    ) as caught:
        fill()
    assert caught.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["scores.txt", "scores", "nowhere/scores.csv", "folder.csv"])
def test_a_path_that_cannot_be_written_is_found_at_once(tmp_path, name):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(MisuseError), score_writer(tmp_path / name):
        pytest.fail("the file was opened")


def test_a_symbolic_link_stays_one(tmp_path):
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "target.csv")
    with replacing(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert (tmp_path / "target.csv").read_text() == "new"
