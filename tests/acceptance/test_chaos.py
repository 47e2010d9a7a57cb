"""A short run of the benchmark that kills the engine; `python -m benchmarks.chaos` is the long one."""

import pytest

from benchmarks.chaos.__main__ import installed, run

pytestmark = pytest.mark.acceptance


PROMISE = dict.fromkeys(("lost", "doubled", "different", "unpublished", "disordered"), 0) | {"faults": []}


def test_kills_lose_double_and_change_nothing(tmp_path):
    with installed("embedded", "sqlite", tmp_path) as installation:
        result = run(installation, kills=4, metrics=10, samples=1000, seed=3)
    assert {name: result[name] for name in PROMISE} == PROMISE
    assert len(result["killed_at"]) == 4


@pytest.mark.integration
def test_kills_of_the_database_lose_double_and_change_nothing(tmp_path):
    with installed("embedded", "mariadb", tmp_path) as installation:
        result = run(installation, kills=1, metrics=10, samples=500, seed=3, server_kills={"database": 1})
    assert {name: result[name] for name in PROMISE} == PROMISE
    assert len(result["killed_at"]) == 2
