"""A kill -9 while rows become blocks loses and doubles none of them."""

import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from itertools import pairwise

import pytest

from htmengine import config
from htmengine.repository import metrics, migrations, schema
from htmengine.repository.embedded import compaction
from htmengine.repository.embedded.blocks import TEXTS
from htmengine.repository.opening import open_database

pytestmark = pytest.mark.slow

ROWS = 4096
METRICS = 4
KILLS = 8
SECONDS = 300
COMPACT = """
import sys
from pathlib import Path
from htmengine import config
from htmengine.repository.embedded import compaction
from htmengine.repository.opening import open_database

compaction.BLOCK_ROWS = 32
database = open_database(config.Repository(path=Path(sys.argv[1])))
rows = 1
while rows:
    print("next", flush=True)
    with database.write() as conn:
        rows = compaction.compact(conn, 2)
"""


def scores(draw):
    """Return scores of a row."""
    return [None if name in TEXTS else draw.random() for name in schema.SCORES]


def stored(database):
    """Return every row as the view has it."""
    with database.read() as conn:
        names = "uid, rowid, timestamp, metric_value, digest, " + ", ".join(schema.SCORES)
        return conn.exec_driver_sql(f"SELECT {names} FROM metric_data ORDER BY uid, rowid").all()


def test_each_row_is_there_once_and_as_it_was(tmp_path):
    draw = random.Random(16)
    path = tmp_path / "repository.sqlite"
    with closing(open_database(config.Repository(path=path))) as database:
        migrations.upgrade(database, shards=4)
        with database.write() as conn:
            metrics.create_custom(conn, [f"m{number}" for number in range(METRICS)])
            conn.exec_driver_sql("UPDATE metric SET last_rowid = 1000000")
            names = f"metric, rowid, time, value, digest, {', '.join(schema.SCORES)}"
            conn.exec_driver_sql(
                f"INSERT INTO merged_row ({names}) VALUES ({', '.join('?' * (5 + len(schema.SCORES)))})",
                [
                    (metric, row, SECONDS * row, draw.random(), row, *scores(draw))
                    for metric in range(1, METRICS + 1)
                    for row in range(1, ROWS + 1)
                ],
            )
            compaction.want(conn, True)
        before = stored(database)
        left, kills = [ROWS * METRICS], 0
        while True:
            with subprocess.Popen(
                [sys.executable, "-c", COMPACT, str(path)], stdout=subprocess.PIPE, text=True
            ) as process:
                if kills < KILLS:
                    for _ in range(draw.randint(2, 12)):
                        process.stdout.readline()
                    time.sleep(draw.uniform(0, 0.003))
                    process.send_signal(signal.SIGKILL)
                else:
                    process.communicate()
            kills += process.returncode == -signal.SIGKILL
            assert stored(database) == before
            with database.read() as conn:
                left.append(conn.exec_driver_sql("SELECT count(*) FROM merged_row").scalar())
                if not compaction.is_due(conn):
                    break
        assert kills == KILLS
        assert any(one > other for one, other in pairwise(left[:-1])), "killed too early"
        assert left[-1] < METRICS * (compaction.PLAIN_S / SECONDS + 40)
