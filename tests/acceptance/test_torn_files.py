"""Files of different age: a repository that lost its last transactions beside a bus and checkpoints that kept theirs."""

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.engine import (
    STOPS_WITHIN_S,
    Folder,
    expected_scores,
    lines,
    python,
    wait_until,
)

pytestmark = pytest.mark.acceptance

KEPT, LOST = 400, 600
FIRST_OF_NEW = 10_000
"""New samples come hours later than those that were lost, so that their values are others, too."""


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "data")


STORER = "htmengine.runtime.metric_storer"
SCHEDULER = "htmengine.model_swapper.model_scheduler_service"


def alone(folder, service, done):
    """Run one service until something is done."""
    process = python("-m", service, "--data", folder.path)
    try:
        wait_until(done, f"what {service} does")
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOPS_WITHIN_S) == 0
    finally:
        process.kill()
        process.communicate()


def waiting(folder, queue):
    """Return how many messages are in the engine's queues of a kind, by a part of their names."""
    query = f"SELECT coalesce(sum(length), 0) FROM queue WHERE name LIKE '%{queue}%'"
    return folder.select(query, file="bus.sqlite")[0][0]


def copied(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def put_back(copy: Path, file: Path) -> None:
    for name in (file.name, f"{file.name}-wal", f"{file.name}-shm"):
        file.with_name(name).unlink(missing_ok=True)
    copied(copy, file)


@pytest.mark.parametrize(
    "new",
    [
        pytest.param(300, id="fewer new samples", marks=pytest.mark.slow),
        pytest.param(900, id="more new samples"),
    ],
)
@pytest.mark.parametrize(
    "file",
    [
        "repository.sqlite",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("bus.sqlite", "checkpoints.sqlite")),
    ],
)
def test_a_file_that_is_older_than_the_others_mixes_no_samples_up(folder, tmp_path, file, new):
    sent = lines("m", KEPT + LOST)
    copy = tmp_path / "copy.sqlite"
    with folder.up() as engine:
        folder.send(sent[:KEPT])
        folder.wait_for_scores("m", KEPT)
        copied(folder.path / file, copy)
        folder.send(sent[KEPT : KEPT + LOST // 2])
        folder.wait_for_scores("m", KEPT + LOST // 2)
        folder.send(sent[KEPT + LOST // 2 :])
        folder.wait_for_rows("m", KEPT + LOST)
        # Lines that were not acknowledged come again, and are not lost.
        wait_until(lambda: not waiting(folder, "metric"), "the lines are acknowledged")
        engine.kill()
        engine.wait()
    put_back(copy, folder.path / file)
    stored = sent[:KEPT] if file == "repository.sqlite" else sent
    later = lines("m", new, first=FIRST_OF_NEW)
    folder.cli("send", data="".join(f"{line}\n" for line in later))
    with folder.up():
        folder.wait_for_scores("m", len(stored) + new)
        folder.settles()
    assert folder.stored_scores("m") == expected_scores([*stored, *later])


@pytest.mark.slow
def test_results_of_lost_samples_that_wait_in_the_bus_are_given_to_no_others(folder, tmp_path):
    """The scores of 600 samples wait in the bus; the rows that they are of are lost, and 600 others take their rowids."""
    sent = lines("m", KEPT + LOST)
    copy = tmp_path / "copy.sqlite"
    with folder.up():
        folder.send(sent[:KEPT])
        folder.wait_for_scores("m", KEPT)
    folder.settles()
    copied(folder.path / "repository.sqlite", copy)
    folder.cli("send", data="".join(f"{line}\n" for line in sent[KEPT:]))
    alone(folder, STORER, lambda: not waiting(folder, "metric"))
    alone(folder, SCHEDULER, lambda: waiting(folder, "results") and not waiting(folder, "model"))
    put_back(copy, folder.path / "repository.sqlite")
    later = lines("m", LOST, first=FIRST_OF_NEW)
    folder.cli("send", data="".join(f"{line}\n" for line in later))
    alone(folder, STORER, lambda: not waiting(folder, "metric"))
    assert waiting(folder, "results")
    with folder.up():
        folder.wait_for_scores("m", KEPT + LOST)
        folder.settles()
    assert folder.stored_scores("m") == expected_scores([*sent[:KEPT], *later])
