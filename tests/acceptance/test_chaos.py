"""A short run of the benchmark that kills the engine; `python -m benchmarks.chaos` is the long one."""

import pytest

from benchmarks.chaos.__main__ import on_embedded_parts, run

pytestmark = pytest.mark.acceptance


def test_kills_lose_double_and_change_nothing(tmp_path):
    result = run(on_embedded_parts(tmp_path), kills=4, metrics=10, samples=1000, seed=3)
    told = ("lost", "doubled", "different", "unpublished", "disordered", "verify_faults")
    assert {name: result[name] for name in told} == dict.fromkeys(told[:-1], 0) | {"verify_faults": []}
    assert len(result["killed_at"]) == 4
