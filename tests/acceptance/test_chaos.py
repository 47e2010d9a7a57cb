"""A short run of the benchmark that kills the engine; `python -m benchmarks.chaos` is the long one."""

import pytest

from benchmarks.chaos.__main__ import installed, run

pytestmark = pytest.mark.acceptance


def test_kills_lose_double_and_change_nothing(tmp_path):
    with installed("embedded", "sqlite", tmp_path) as installation:
        result = run(installation, kills=4, metrics=10, samples=1000, seed=3)
    told = ("lost", "doubled", "different", "unpublished", "disordered", "faults")
    assert {name: result[name] for name in told} == dict.fromkeys(told[:-1], 0) | {"faults": []}
    assert len(result["killed_at"]) == 4
