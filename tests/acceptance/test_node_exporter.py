"""Some of node_exporter's series, as it gave them, replayed through remote write: models see rates, and nothing storms."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import node_exporter

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

SEEN = Path(__file__).parent / "node_exporter.json.gz"
MINUTES = 20
SCRAPES = 60 * MINUTES // node_exporter.SCRAPE_S


def test_a_machine_that_is_new_and_starts_again_alarms_hardly_at_all(tmp_path):
    exposition = node_exporter.load(SEEN)
    found = node_exporter.measured(exposition, tmp_path, machines=1, duration_s=60 * MINUTES)
    assert found.raw_totals == []
    assert found.most_at_once <= 0.1
    assert found.alarms_per_1000["all"] <= 5
    assert found.alarms_per_1000["start"] <= 5
    assert found.alarms_per_1000["reset"] <= 10
    with closing(sqlite3.connect(tmp_path / "data" / "repository.sqlite")) as database:
        rows = dict(database.execute("SELECT name, last_rowid FROM metric"))
        idle = [
            value
            for (value,) in database.execute(
                "SELECT d.metric_value FROM metric_data d JOIN metric m USING (uid)"
                " WHERE m.name LIKE 'node_cpu_seconds_total;%mode=idle'"
            )
        ]
    of = "instance=host0:9100;job=node"
    assert rows[f"node_load1;{of}"] == SCRAPES
    # Neither the first value of a counter nor that of its new beginning is a rate.
    assert rows[f"node_vmstat_pgfault;{of}"] == SCRAPES - 2
    assert all(0 <= value <= 1.2 for value in idle)
