"""`make setup` says what a machine lacks, and mends what an earlier one left half done."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import require

ROOT = Path(__file__).parents[2]
USED = ("Makefile", "pyproject.toml", "constraints.txt", "CMakeLists.txt")
pytestmark = pytest.mark.acceptance

PYTHON = f"""#!/bin/sh
# A Python that lacks what is named in a file beside it, and whose environments install nothing.
here=$(dirname "$0")
for lacking in $(cat "$here/lacking"); do
  case "$*" in *"$lacking"*) exit 1 ;; esac
done
case "$*" in
  "-m venv --clear .venv")
    rm -rf .venv && mkdir -p .venv/bin
    printf '#!/bin/sh\\necho "$@" >>installed-by-pip\\n' >.venv/bin/python
    echo "#!$PWD/.venv/bin/python" >.venv/bin/pip
    chmod +x .venv/bin/* ;;
  *) exec {sys.executable} "$@" ;;
esac
"""


class Checkout:
    """A source folder on a machine that lacks what `lacks` says."""

    def __init__(self, folder: Path) -> None:
        self.make = require("make", "make")
        self.folder = folder / "checkout"
        self.folder.mkdir()
        for name in USED:
            shutil.copy(ROOT / name, self.folder)
        (self.folder / "src/htmengine/htm/kernels").mkdir(parents=True)
        self.python = folder / "python3"
        self.python.write_text(PYTHON)
        self.python.chmod(0o755)
        self.lacks()

    def lacks(self, *words: str) -> None:
        (self.python.parent / "lacking").write_text(" ".join(words))

    def setup(self, *variables: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [self.make, "setup", f"PYTHON={self.python}", "UV=", *variables],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def installs(self) -> int:
        """Run it, and return how often packages were installed so far."""
        done = self.setup()
        assert done.returncode == 0, done.stderr
        installed = (self.folder / "installed-by-pip").read_text()
        return installed.count(".[dev]")


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


@pytest.mark.parametrize(
    ("lacking", "variables", "what", "package"),
    [
        ("Python.h", (), "Python.h", "python3-dev"),
        ("ensurepip", (), "venv", "python3-venv"),
        ("nothing", ("CXX=/no/compiler",), "C++17 compiler", "g++"),
    ],
)
def test_a_missing_package_is_named_before_anything_is_made(checkout, lacking, variables, what, package):
    checkout.lacks(lacking)
    done = checkout.setup(*variables)
    first, second, *_ = done.stderr.splitlines()
    assert done.returncode != 0
    assert what in first
    assert second == f"On Debian: apt-get install {package}"
    assert not (checkout.folder / ".venv").exists()


def test_all_missing_packages_are_named_at_once(checkout):
    checkout.lacks("Python.h", "ensurepip")
    stderr = checkout.setup("CXX=/no/compiler").stderr
    assert "On Debian: apt-get install g++ python3-dev python3-venv\n" in stderr


def test_a_python_that_is_too_old_is_refused(checkout):
    checkout.lacks("version_info")
    assert "needs Python 3.11 or later" in checkout.setup().stderr


def test_an_environment_that_is_there_is_used(checkout):
    assert checkout.installs() == 1
    assert checkout.installs() == 1
    (checkout.folder / "pyproject.toml").touch()
    assert checkout.installs() == 2


@pytest.mark.parametrize("gone", ["pip", "python"])
def test_half_an_environment_is_made_anew(checkout, gone):
    assert checkout.installs() == 1
    (checkout.folder / ".venv/bin" / gone).unlink()
    (checkout.folder / ".venv/installed").unlink()
    assert checkout.installs() == 2


def test_a_folder_that_was_moved_is_set_up_again(checkout):
    assert checkout.installs() == 1
    checkout.folder = checkout.folder.rename(checkout.folder.with_name("elsewhere"))
    assert checkout.installs() == 2
    assert checkout.installs() == 2
