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
"""


def test_skips_for_one_reason_take_one_line(tmp_path):
    (tmp_path / "test_some.py").write_text(TESTS)
    command = ["-m", "pytest", "-c", "/dev/null", "--rootdir", tmp_path, "-p", skips.__name__, tmp_path]
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
    )
    skipped = [line for line in done.stdout.splitlines() if line.startswith("SKIPPED")]
    assert skipped == ["SKIPPED [4] needs a server", "SKIPPED [1] needs a terminal"]
