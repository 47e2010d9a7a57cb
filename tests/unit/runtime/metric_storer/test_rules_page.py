"""The examples of docs/reference/rules.md do what the page says."""

import re
import shlex
from pathlib import Path

import pytest

from htmengine.cli import rules
from htmengine.config import RULES_FILE
from htmengine.runtime.metric_storer import internals

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "rules.md"
BLOCKS = re.findall(r"```(ini|console)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
EXAMPLES = [(text, BLOCKS[i + 1][1]) for i, (kind, text) in enumerate(BLOCKS) if kind == "ini"]


@pytest.mark.parametrize(("written", "shown"), EXAMPLES)
def test_an_example_says_what_the_page_shows(written, shown, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = Path(RULES_FILE)
    path.write_text(written, encoding="utf-8")
    command, _, expected = shown.partition("\n")
    dollar, program, group, verb, *names = shlex.split(command)
    assert (dollar, program, group, verb) == ("$", "htmengine", "rules", "test")
    rules.tell(path, names, json=False)
    assert capsys.readouterr().out == expected


def test_every_example_of_rules_is_tried():
    assert len(EXAMPLES) >= 4
    assert [kind for kind, _ in BLOCKS] == ["ini", "console"] * len(EXAMPLES)


def test_every_known_agent_is_listed():
    listed = re.findall(
        r"^\| `([^`]+)` \| ", PAGE.read_text(encoding="utf-8").split("# What agents")[1], re.M
    )
    assert listed == list(internals.REGEXES)
