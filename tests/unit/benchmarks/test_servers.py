import shutil

import pytest

from benchmarks.chaos.__main__ import installed
from benchmarks.servers import explained


@pytest.fixture
def no_servers(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(shutil, "which", lambda _program: None)


@pytest.mark.usefixtures("no_servers")
def test_a_server_that_is_not_installed_skips_a_test(tmp_path):
    with (
        pytest.raises(pytest.skip.Exception, match="mariadb-server"),
        installed("embedded", "mariadb", tmp_path),
    ):
        pass


@pytest.mark.usefixtures("no_servers")
def test_a_server_that_is_not_installed_ends_a_benchmark_with_the_reason(tmp_path):
    with (
        pytest.raises(SystemExit, match="mariadb-server"),
        explained(),
        installed("embedded", "mariadb", tmp_path),
    ):
        pass
