"""`htmengine tokens`: names and ids."""

import pytest
from typer.testing import CliRunner

from htmengine.cli.app import app


@pytest.fixture
def run(tmp_path):
    def run(*arguments):
        return CliRunner().invoke(app, ["tokens", *arguments, "--data", str(tmp_path)])

    return run


def test_a_token_is_revoked_by_the_name_that_only_it_has(run):
    for name in ("grafana", "twice", "twice"):
        assert run("create", name, "--scope", "read").exit_code == 0
    assert run("revoke", "grafana").exit_code == 0
    refused = run("revoke", "grafana")
    assert (refused.exit_code, "there is no such token" in refused.output) == (2, True)
    refused = run("revoke", "twice")
    assert (refused.exit_code, "there are 2 tokens of this name" in refused.output) == (2, True)
    listed = run("list").output
    assert "grafana" not in listed
    ids = [line.split()[0] for line in listed.splitlines() if "twice" in line]
    assert run("revoke", ids[0]).exit_code == 0
    assert run("revoke", "twice").exit_code == 0
