"""`htmengine queues` shows the number of metric-data queues, and changes it."""

import json

from typer.testing import CliRunner

from htmengine import config
from htmengine.cli.app import app
from htmengine.service.context import opened


def queues(folder, *arguments):
    result = CliRunner().invoke(app, ["queues", *arguments, "--data", str(folder)])
    return result.exit_code, result.stdout, result.stderr


def test_the_number_is_shown_and_changed(tmp_path):
    with opened(config.embedded(tmp_path)):
        pass
    code, stdout, _ = queues(tmp_path)
    assert (code, json.loads(stdout)) == (0, {"queues": 1})
    code, stdout, stderr = queues(tmp_path, "4")
    assert (code, json.loads(stdout)) == (0, {"queues": 4, "before": 1})
    assert "is stored first" in stderr
    assert json.loads(queues(tmp_path)[1]) == {"queues": 4, "before": 1}


def test_what_cannot_be_is_explained(tmp_path):
    with opened(config.embedded(tmp_path)):
        pass
    assert queues(tmp_path, "65")[0] == 2
    queues(tmp_path, "4")
    code, _, stderr = queues(tmp_path, "2")
    assert code == 1
    assert "not done yet" in stderr
