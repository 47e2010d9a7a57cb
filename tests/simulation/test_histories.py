"""Whatever happens, what is stored and published in the end is what an undisturbed run gives."""

import os
import random

import pytest

from tests.simulation.history import run

HISTORIES = int(os.environ.get("HTMENGINE_HISTORIES", "200"))
BASE = int(os.environ.get("HTMENGINE_SEED", str(random.SystemRandom().randrange(1 << 31))))
"""Seeds go on from it; another one each time, unless it is given."""
PARTS = 10


def test_a_calm_history_ends_as_an_undisturbed_run():
    result = run(1, calm=True)
    assert result.is_kept, result
    assert run(1, calm=True) == result


def test_a_history_is_the_same_each_time():
    assert run(7) == run(7)


@pytest.mark.parametrize("part", range(PARTS))
def test_no_history_breaks_the_promise(part):
    broken = [
        f"seed {seed}: {result.faults}"
        for seed in range(BASE + part, BASE + HISTORIES, PARTS)
        if not (result := run(seed)).is_kept
    ]
    assert not broken, "\n".join([*broken, "python -m tests.simulation --seed SEED tells the story"])
