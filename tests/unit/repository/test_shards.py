import pytest

from htmengine.repository import shards
from htmengine.repository.engine import writing


def test_every_owner_has_an_epoch_of_its_own_and_shuts_out_the_one_before(engine):
    with writing(engine) as conn:
        assert shards.epoch(conn, 3) == 0
        assert [shards.raise_epoch(conn, 3) for _ in range(3)] == [1, 2, 3]
        assert shards.raise_epoch(conn, 0) == 1
        assert shards.is_owner(conn, 3, 3)
        assert not shards.is_owner(conn, 3, 2)


@pytest.mark.parametrize("question", [shards.raise_epoch, shards.epoch])
def test_a_shard_that_the_installation_does_not_have_is_named(engine, question):
    with writing(engine) as conn, pytest.raises(LookupError, match="4"):
        question(conn, 4)
