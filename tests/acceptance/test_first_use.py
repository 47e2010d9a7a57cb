"""What a process does when it imports the engine, and when it first uses it."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.acceptance


def test_the_configured_installation_is_opened_once_for_all_adapters_of_the_process(tmp_path):
    (tmp_path / "application.conf").write_text(f"[engine]\ndata_dir = {tmp_path / 'data'}\nbus = embedded\n")
    program = """
from htmengine.adapters.datasource import createDatasourceAdapter
first, second = createDatasourceAdapter("custom"), createDatasourceAdapter("custom")
assert first is not second
assert first._database is second._database and first._bus is second._bus
uid = first.createMetric("m")
assert second.monitorMetric({"datasource": "custom", "metricSpec": {"metric": "m"}}) == uid
"""
    subprocess.run(
        [sys.executable, "-c", program],
        env={"APPLICATION_CONFIG_PATH": str(tmp_path)},
        check=True,
        timeout=60,
    )
    assert (tmp_path / "data" / "repository.sqlite").exists()


def test_importing_the_adapters_opens_nothing():
    program = "import htmengine.adapters.datasource, threading; assert threading.active_count() == 1"
    subprocess.run([sys.executable, "-c", program], env={}, check=True, timeout=60)


def test_importing_the_repository_opens_nothing_and_leaves_alembic_out():
    script = (
        "import sys, builtins, sqlite3\n"
        "import htmengine.repository, htmengine.repository.migrations\n"
        "assert 'alembic' not in sys.modules, 'alembic'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
