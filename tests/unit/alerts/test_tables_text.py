"""Targets and windows read out of the text of alerts.toml, and put back without touching anything else."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.alerts.tables_text import (
    WrittenTarget,
    WrittenWindow,
    with_maintenance,
    with_targets,
    with_windows,
    written_targets,
    written_windows,
)
from htmengine.alerts.toml_blocks import NotSeparable

TEXT = """\
# Who is told.
mode = "all"
maintenance = [
  "upgrades",  # always
]

# ours
[targets.ops]
kind = "webhook"   # a comment in the line
url = '''
[targets.no]
http://a'''

[targets."the others"]
kind = "alertmanager"
url = ["http://a:1", "http://b:2"]
[targets."the others".labels]
team = "x"

# Sundays.
[windows.upgrades]
cron = "0 3 * * sun"
duration = "2h"

[windows.move]
from = 2030-01-02T10:00:00
to = 2030-01-02T12:00:00+01:00

[[rules]]
name = "all"
"""
OPS = WrittenTarget("ops", "webhook", {"url": "[targets.no]\nhttp://a"})
OTHERS = WrittenTarget(
    "the others", "alertmanager", {"url": ["http://a:1", "http://b:2"], "labels": {"team": "x"}}
)
UPGRADES = WrittenWindow("upgrades", cron="0 3 * * sun", duration="2h")
MOVE = WrittenWindow("move", from_="2030-01-02T10:00:00", to="2030-01-02T12:00:00+01:00")


def test_tables_are_read_where_they_stand():
    assert written_targets(TEXT) == [OPS, OTHERS]
    assert written_windows(TEXT) == [UPGRADES, MOVE]
    assert written_targets("") == written_windows("") == []


def test_a_text_with_the_tables_that_it_has_stays_as_it_is():
    assert with_targets(TEXT, [OPS, OTHERS]) == TEXT
    assert with_windows(TEXT, [UPGRADES, MOVE]) == TEXT
    assert with_maintenance(TEXT, ["upgrades"]) == TEXT


def test_one_changes_one_goes_and_one_comes():
    new = WrittenTarget("new", "slack", {"url_file": "secrets/slack"})
    made = with_targets(TEXT, [OPS, new])
    assert written_targets(made) == [OPS, new]
    assert '# ours\n[targets.ops]\nkind = "webhook"   # a comment' in made
    assert "the others" not in made
    sooner = WrittenWindow("upgrades", cron="0 1 * * sun", duration="2h")
    made = with_windows(TEXT, [sooner, MOVE])
    assert '# Sundays.\n[windows.upgrades]\ncron = "0 1 * * sun"\n' in made
    assert tomllib.loads(made)["windows"]["move"] == tomllib.loads(TEXT)["windows"]["move"]
    assert with_windows(with_windows(TEXT, [UPGRADES]), []).count("[windows") == 0


def test_the_first_of_a_kind_stands_above_the_rules():
    made = with_windows('# mine\n[[rules]]\nname = "a"\n', [UPGRADES])
    assert made == (
        '[windows.upgrades]\ncron = "0 3 * * sun"\nduration = "2h"\n\n# mine\n[[rules]]\nname = "a"\n'
    )
    assert with_targets("", [OPS]).startswith("[targets.ops]\n")


@pytest.mark.parametrize(
    ("windows", "line"),
    [(["a", "b"], 'maintenance = ["a", "b"]'), (["a"], 'maintenance = "a"'), ([], None)],
)
@pytest.mark.parametrize("text", [TEXT, "", '# mine\n[[rules]]\nname = "a"\n', 'mode = "all"\n'])
def test_maintenance_of_all_rules_is_one_line_above_all_tables(text, windows, line):
    made = with_maintenance(text, windows)
    assert tomllib.loads(made).get("maintenance", []) in (windows, windows[0] if windows else [])
    assert (line in made.splitlines()) if line else "maintenance" not in made
    rest = {name: one for name, one in tomllib.loads(text).items() if name != "maintenance"}
    assert {name: one for name, one in tomllib.loads(made).items() if name != "maintenance"} == rest


@pytest.mark.parametrize(
    "text",
    [
        "targets = 1",
        "targets.ops.kind = 'slack'",
        "[targets]\nops = { kind = 'slack' }",
        "[targets.a]\nx = 1\n[engine]\n[targets.a.labels]\ny = 1",
        "[",
    ],
)
def test_tables_that_are_written_otherwise_are_left_alone(text):
    with pytest.raises(NotSeparable):
        with_targets(text, [OPS])


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)
VALUES = st.one_of(
    st.text(max_size=20), st.booleans(), st.integers(-9, 9), st.lists(st.text(max_size=5), max_size=3)
)


@given(st.dictionaries(NAMES, st.dictionaries(NAMES.filter(lambda name: name != "kind"), VALUES, max_size=3)))
def test_whatever_a_target_says_is_read_as_it_was_written(tables):
    wanted = [WrittenTarget(name, "slack", settings) for name, settings in tables.items()]
    assert written_targets(with_targets("", wanted)) == wanted
    assert sorted(written_targets(with_targets(TEXT, wanted)), key=lambda one: one.name) == sorted(
        wanted, key=lambda one: one.name
    )
