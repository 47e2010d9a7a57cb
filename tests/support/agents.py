"""Programs that send samples, as processes of tests, with the lines that the page about agents tells people to paste."""

import importlib
import os
import re
import shutil
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers import ending_with_us, require

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "agents.md"


def lines_to_paste(heading, changes, number=0):
    """Return a block of code of a section of the page, with this machine's ports and addresses in it.

    `changes`: what each text of the block, which must be there, is replaced by.
    """
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.M | re.S)
    assert section, heading
    block = re.findall(r"^```[^\n]*\n(.*?)^```$", section[1], re.M | re.S)[number]
    for old, new in changes.items():
        assert old in block, f"{old} is not in {block}"
        block = block.replace(old, str(new))
    return block


def client(module, package=None):
    """Return a client's module; skip where it is not installed, or fail where everything must be tested."""
    try:
        return importlib.import_module(module)
    except ImportError:
        reason = f"needs {package or module}: pip install {package or module}"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def of_npm(package):
    """Return where a package of npm's lies; skip where it is not installed, or fail where everything must be tested."""
    for modules in ("/usr/local/lib/node_modules", "/usr/lib/node_modules"):
        if (found := Path(modules, package)).is_dir():
            return found
    reason = f"needs npm's package {package}: npm install --global {package}"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def running(*command, package, log):
    """Run a program of one of Debian's packages until the end of the block."""
    found = shutil.which(command[0]) or f"/usr/sbin/{command[0]}"
    path = require(package, found)
    with log.open("wb") as out:
        process = subprocess.Popen(
            ending_with_us([path, *map(str, command[1:])]),
            stdout=out,
            stderr=out,
            start_new_session=True,
            cwd=log.parent,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)
