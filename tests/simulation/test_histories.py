"""Whatever happens, what is stored and published in the end is what an undisturbed run gives."""

import os
import subprocess
import sys

import pytest

from tests.simulation.history import run

HISTORIES = int(os.environ.get("HTMENGINE_HISTORIES", "150"))
BASE = int(os.environ.get("HTMENGINE_SEED", "200000"))
"""Seeds go on from it. The same ones each time, so that a commit passes or fails; `python -m tests.simulation` draws others."""
PARTS = 10


def test_a_calm_history_ends_as_an_undisturbed_run():
    result = run(1, calm=True)
    assert result.is_kept, result
    assert run(1, calm=True) == result


def test_a_history_is_the_same_each_time():
    assert run(7) == run(7)


@pytest.mark.parametrize("part", range(PARTS))
def test_no_history_breaks_the_promise(part, request):
    """Seeds of a part that failed are kept by pytest, and run again the next time."""
    key = f"simulation/{part}"
    count = HISTORIES // PARTS
    failed = []
    for seed in dict.fromkeys([*request.config.cache.get(key, []), BASE + part * count]):
        command = [
            "-m",
            "tests.simulation",
            "--histories",
            str(count),
            "--seed",
            str(seed),
            "--processes",
            "1",
        ]
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True)
        if done.returncode:
            failed.append((seed, done.stdout + done.stderr))
    request.config.cache.set(key, [seed for seed, _ in failed])
    assert not failed, "\n".join(output for _, output in failed)
