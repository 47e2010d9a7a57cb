"""Whatever happens, what is stored and published in the end is what an undisturbed run gives."""

import os
import random

import pytest

from tests.simulation.history import run

HISTORIES = int(os.environ.get("HTMENGINE_HISTORIES", "150"))
BASE = int(os.environ.get("HTMENGINE_SEED", str(random.SystemRandom().randrange(1 << 31))))
"""Seeds go on from it; another one each time, unless it is given."""
PARTS = 10


def test_a_calm_history_ends_as_an_undisturbed_run():
    result = run(1, calm=True)
    assert result.is_kept, result
    assert run(1, calm=True) == result


def test_a_history_is_the_same_each_time():
    assert run(7) == run(7)


@pytest.fixture
def kept(request):
    """Give the seeds that failed before, kept by pytest; those that fail now are kept for the next time."""
    key = f"simulation/{request.node.name}"
    seeds = request.config.cache.get(key, [])
    failed: list[int] = []
    yield seeds, failed
    request.config.cache.set(key, failed)


@pytest.mark.parametrize("part", range(PARTS))
def test_no_history_breaks_the_promise(part, kept):
    before, failed = kept
    failures = []
    for seed in [*before, *range(BASE + part, BASE + HISTORIES, PARTS)]:
        result = run(seed)
        if result.faults:
            failed.append(seed)
            failures.append(f"python -m tests.simulation --seed {seed}  # {'; '.join(result.faults)}")
    assert not failures, "\n".join(failures)
