import csv
import subprocess
import sys
from datetime import datetime
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "examples" / "sample"


def test_the_script_makes_the_sample_byte_for_byte(tmp_path):
    subprocess.run([sys.executable, str(FOLDER / "make_sample.py"), str(tmp_path)], check=True)
    for name in ("requests.csv", "labels.csv"):
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes()


def test_the_labels_lie_within_the_series():
    rows = list(csv.DictReader((FOLDER / "requests.csv").read_text().splitlines()))
    times = {datetime.fromisoformat(row["timestamp"]) for row in rows}
    labels = list(csv.DictReader((FOLDER / "labels.csv").read_text().splitlines()))
    assert {label["kind"] for label in labels} == {
        "spike",
        "dip to zero",
        "level shift",
        "lost daily pattern",
    }
    assert all(datetime.fromisoformat(label[end]) in times for label in labels for end in ("start", "end"))
