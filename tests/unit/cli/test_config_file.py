"""`htmengine config file` prints what other programs read."""

import json

import pytest
from typer.testing import CliRunner

from htmengine.cli.app import app
from htmengine.config import templates


def run(*arguments):
    return CliRunner().invoke(app, ["config", "file", *arguments])


@pytest.mark.parametrize("name", templates.SHIPPED)
def test_a_file_is_printed_as_it_is(name):
    done = run(name)
    assert done.exit_code == 0
    assert done.stdout == templates.shipped(name)
    if name.endswith(".json"):
        assert json.loads(done.stdout)["panels"]


def test_a_file_that_is_not_there_is_refused_with_those_that_are():
    done = run("passwords")
    assert done.exit_code == 2
    assert "prometheus-alerts.yml" in done.stderr
