"""The tests of tests/unit/model_swapper/test_checkpoint_store.py, on servers: the store that many machines share."""

import pytest

from htmengine.model_swapper.checkpoint_store import CheckpointStore
from tests.integration.repository.conftest import new_database
from tests.support.concurrency import at_the_same_time
from tests.unit.model_swapper.test_checkpoint_store import *  # noqa: F403
from tests.unit.model_swapper.test_checkpoint_store import Checkpoint

pytestmark = pytest.mark.slow


@pytest.fixture
def store(database_server):
    database = new_database(database_server, "checkpoints")
    store = CheckpointStore(database)
    store.create()
    yield store
    database.close()


def test_many_large_blocks_are_written_at_once(store):
    blocks = {f"uid {number}": bytes([number]) * 100 + bytes(range(256)) * 8000 for number in range(20)}
    epoch = store.claim(3)
    written = [Checkpoint.of(uid, 1, 10, 3, block) for uid, block in blocks.items()]
    assert store.write(written, {3: epoch}, scored={}, now=0) == frozenset()
    assert {uid: it.block() for (uid, _), it in store.newest(list(blocks)).items()} == blocks


def test_those_who_make_the_tables_at_the_same_time_wait_for_each_other(database_server):
    database = new_database(database_server, "empty")
    errors = at_the_same_time(lambda: CheckpointStore(database).create(), 6)
    database.close()
    assert errors == []
