"""Short runs of the kills while samples come in; `python -m tests.acceptance.door_kills` makes the long ones."""

import pytest

from tests.acceptance import door_kills

pytestmark = pytest.mark.acceptance

PROMISE = {"lost": 0, "doubled": 0, "different": 0, "faults": []}


@pytest.mark.slow
@pytest.mark.parametrize("door", door_kills.DOORS)
def test_kills_lose_double_and_change_nothing_of_what_was_taken(door, tmp_path):
    verdict = door_kills.DOORS[door](tmp_path, kills=3)._asdict()
    assert {name: verdict[name] for name in PROMISE} == PROMISE
    assert len(verdict["killed_at"]) == 3
    assert verdict["rows"] > 100


def test_an_engine_that_has_ended_is_not_waited_for(tmp_path):
    victim = door_kills._Victim(tmp_path, (), kills=0, seed=1)
    victim.engine.start()
    victim.engine.kill()
    with pytest.raises(RuntimeError, match="the engine ended"):
        victim.wait(lambda: False)
