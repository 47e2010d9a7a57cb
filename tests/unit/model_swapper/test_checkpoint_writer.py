"""The thread that writes checkpoints, where the store is away."""

import threading

import pytest

from htmengine.errors import DependencyUnavailable
from htmengine.model_swapper import checkpoint_writer
from htmengine.model_swapper.checkpoint import Checkpoint
from htmengine.model_swapper.checkpoint_writer import CheckpointWriter, Write


class AwayStore:
    def __init__(self):
        self.back = threading.Event()
        self.attempts = 0
        self.written = []

    def write(self, checkpoints, epochs, *, scored, now):
        self.attempts += 1
        if not self.back.is_set():
            raise DependencyUnavailable("away")
        self.written += [checkpoint.last_rowid for checkpoint in checkpoints]
        return frozenset()


@pytest.fixture
def store(monkeypatch):
    monkeypatch.setattr(checkpoint_writer, "BATCH_SIZE", 1)
    return AwayStore()


@pytest.fixture
def writer(store):
    writer = CheckpointWriter(store, lambda uids: {})
    for rowid in range(1, 11):
        writer.put(Write(Checkpoint.of("uid", 0, rowid, 0, b"block"), 0))
    return writer


def test_blocks_wait_for_a_store_that_is_away_and_are_written_in_their_order(store, writer):
    assert writer.waiting([("uid", 0), ("other", 0)])["uid", 0].last_rowid == 10
    store.back.set()
    writer.close()
    assert store.written == list(range(1, 11))
    assert writer.waiting([("uid", 0)]) == {}


def test_closing_gives_up_once_and_not_again_for_each_block(store, writer, monkeypatch):
    monkeypatch.setattr(checkpoint_writer, "CLOSING_S", -1.0)
    before = store.attempts
    writer.close()
    assert store.attempts - before <= 11
    assert store.written == []
