"""The examples of docs/howto/api.md run as they stand, against a server with metrics of their names."""

import json
import re
import subprocess
from pathlib import Path

import pytest

HOWTO = Path(__file__).parents[3] / "docs" / "howto" / "api.md"
PRINTED = "http://127.0.0.1:2080"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", HOWTO.read_text(), re.DOTALL)


@pytest.fixture
def address(served):
    values = [5.0] * 299 + [9.0]
    served.server.metric("web.requests.total", values, log_scores=[0.1] * 299 + [0.9])
    return served.address


@pytest.mark.parametrize("block", blocks("sh"))
def test_a_command_runs_and_answers_with_json(address, tmp_path, block):
    for command in re.split(r"\n(?=\S)", block.strip()):
        done = subprocess.run(
            ["bash", "-euc", command.replace(PRINTED, address)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        if command.startswith("curl"):
            answer = json.loads(done.stdout)
            assert "title" not in answer, answer


def test_the_examples_in_python_run_one_after_the_other(served, address):
    name = "web.requests.total"
    (uid,) = served.server.site.fleet.uids
    names = {}
    with served.publishing(uid, name, 301):
        for block in blocks("py"):
            exec(compile(block.replace(PRINTED, address), str(HOWTO), "exec"), names)
    assert names["last"] == 300
    assert names["columns"]["value_max"].max() == 9.0
    assert names["result"].uid == uid
    names["engine"].close()
