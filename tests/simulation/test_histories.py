"""Whatever happens, what is stored and published in the end is what an undisturbed run gives."""

import subprocess
import sys

import pytest

from tests.simulation.history import run
from tests.support.examples import part

HISTORIES = part(150)
BASE = 200_000
"""Seeds go on from it. The same ones each time, so that a commit passes or fails; `python -m tests.simulation` draws others."""
PARTS = 5
"""Processes among which they are shared, so that several can run at once."""


def test_a_calm_history_ends_as_an_undisturbed_run():
    result = run(1, calm=True)
    assert result.is_kept, result
    assert run(1, calm=True) == result


def test_a_history_is_the_same_each_time():
    assert run(7) == run(7)


@pytest.mark.parametrize("process", range(PARTS))
def test_no_history_breaks_the_promise(process, request):
    """Seeds of a process that failed are kept by pytest, and run again the next time."""
    key = f"simulation/{process}"
    count = HISTORIES // PARTS
    failed = []
    for seed in dict.fromkeys([*request.config.cache.get(key, []), BASE + process * count]):
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
