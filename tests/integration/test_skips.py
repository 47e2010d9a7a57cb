import os
import subprocess
import sys
from pathlib import Path

from tests.support import skips

TESTS = """
import pytest

@pytest.mark.parametrize("number", range(3))
def test_many(number):
    pytest.skip("needs a server")

@pytest.mark.skipif(True, reason="needs a server")
def test_another(): ...

def test_one():
    pytest.skip("needs a terminal")

def test_that_runs(): ...

@pytest.mark.slow
def test_that_takes_long(): ...
"""


def run(tmp_path, *arguments):
    """Return what pytest prints of these tests."""
    (tmp_path / "test_some.py").write_text(TESTS)
    command = ["-m", "pytest", "-c", "/dev/null", "--rootdir", tmp_path, "-p", skips.__name__]
    done = subprocess.run(
        [sys.executable, *map(str, [*command, *arguments])],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
    )
    return done.stdout.splitlines()


def skipped(lines):
    return [line for line in lines if line.startswith("SKIPPED")]


def test_skips_for_one_reason_take_one_line(tmp_path):
    others = ["SKIPPED [4] needs a server", "SKIPPED [1] needs a terminal"]
    assert skipped(run(tmp_path, "--slow", tmp_path)) == others


def test_a_slow_test_that_is_named_says_how_it_is_run(tmp_path):
    named = tmp_path / "test_some.py::test_that_takes_long"
    assert skipped(run(tmp_path, named)) == ["SKIPPED [1] slow: run with --slow"]
    assert "1 passed" in run(tmp_path, "--slow", named)[-1]
