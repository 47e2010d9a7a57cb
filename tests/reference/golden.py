"""Where the golden vectors and benchmark data lie, for the tests that need them.

The environment variable HTMENGINE_REFERENCE_DATA names a folder with `reference/golden` (vectors recorded from
the original NuPIC) and `data/nab` (the Numenta Anomaly Benchmark). Without it these tests are skipped.
"""

import os
from pathlib import Path

import pytest


def _reference_data(*parts: str) -> Path:
    folder = os.environ.get("HTMENGINE_REFERENCE_DATA")
    if not folder:
        pytest.skip("HTMENGINE_REFERENCE_DATA names no folder with reference data")
    path = Path(folder, *parts)
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: HTMENGINE_REFERENCE_DATA is set, but this file is not in its folder"
        )
    return path


def golden(name: str) -> Path:
    """Return the path of a golden vector file; skip the test when there is no reference data."""
    return _reference_data("reference", "golden", name)


def nab(*parts: str) -> Path:
    """Return a path below the NAB folder; skip the test when there is no reference data."""
    return _reference_data("data", "nab", *parts)
