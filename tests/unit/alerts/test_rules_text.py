"""Rules read out of the text of alerts.toml, and put back without touching anything else."""

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from htmengine.alerts.rules_text import (
    AtLeast,
    Deviation,
    WrittenRule,
    with_rules,
    written_rules,
)
from htmengine.alerts.toml_blocks import NotSeparable

TEXT = """\
# Who is told.
mode = "all"

[targets.ops]
kind = "webhook"   # ours
url = '''
[[rules]]
http://a'''

# The databases are ours.
[[rules]]
name = "databases"   # a comment in the line
match = ["db.*",
  "[[rules]]"]
[rules.at_least]
rows = 3

# Office hours.
[windows.office]
cron = "0 8 * * mon-fri"
duration = "10h"

[[rules]]
name = "rest"
targets = "ops"

[engine]
watch = true
"""
DATABASES = WrittenRule("databases", match=["db.*", "[[rules]]"], at_least=AtLeast(rows=3))
REST = WrittenRule("rest", targets=["ops"])


def test_rules_are_read_where_they_stand():
    assert written_rules(TEXT) == [DATABASES, REST]
    assert written_rules("") == []


def test_a_text_with_the_rules_that_it_has_stays_as_it_is():
    assert with_rules(TEXT, [DATABASES, REST]) == TEXT


def test_a_changed_rule_keeps_the_comments_above_it_and_everything_else():
    changed = WrittenRule(
        "databases", match=["db.*"], min_deviation=Deviation(percent=20), severity="critical"
    )
    made = with_rules(TEXT, [changed, REST])
    assert made == TEXT.replace(
        TEXT[TEXT.index('name = "databases"') : TEXT.index("\n# Office hours")],
        'name = "databases"\nmatch = "db.*"\nmin_deviation = { percent = 20 }\nseverity = "critical"\n',
    )


def test_rules_change_places_with_their_comments():
    made = with_rules(TEXT, [REST, DATABASES])
    assert written_rules(made) == [REST, DATABASES]
    assert made.index("# The databases are ours.") > made.index('name = "rest"')
    assert made.index("# Office hours.") < made.index("[windows.office]")


def test_a_rule_is_added_behind_the_others_and_removed():
    added = WrittenRule("new", budget=2.5, causes=["jump", "silence"], cooldown="1h")
    made = with_rules(TEXT, [DATABASES, REST, added])
    assert (
        made.replace(
            '\n[[rules]]\nname = "new"\nbudget = 2.5\ncauses = ["jump", "silence"]\ncooldown = "1h"\n', ""
        )
        == TEXT
    )
    assert with_rules(made, [DATABASES, REST]).split() == TEXT.split()
    assert "rules" not in tomllib.loads(with_rules(TEXT, []))
    assert with_rules("# nobody\n", [REST]) == '# nobody\n\n[[rules]]\nname = "rest"\ntargets = "ops"\n'


@pytest.mark.parametrize(
    "text",
    ['rules = [{ name = "a" }]\n', "rules = 1\n", "[[rules]]\nmax = 1\n", "[[rules]]\nname = 1\n", "[[rules"],
)
def test_rules_that_are_written_otherwise_are_left_alone(text):
    with pytest.raises(NotSeparable):
        with_rules(text, [REST])


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
rules = st.builds(
    WrittenRule,
    name=words,
    match=st.lists(words, max_size=3),
    tags=st.lists(words, max_size=2),
    min_score=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    min_deviation=st.none()
    | st.builds(Deviation, absolute=st.none() | st.floats(0, 1e9), percent=st.floats(0, 100)),
    at_least=st.none() | st.builds(AtLeast, rows=st.integers(1, 2**40)),
    cooldown=st.none() | words,
)


@settings(max_examples=60)
@given(st.lists(rules, max_size=4, unique_by=lambda rule: rule.name))
def test_whatever_a_rule_says_is_read_as_it_was_written(wanted):
    made = with_rules(TEXT, wanted)
    assert written_rules(made) == wanted
    assert {key: value for key, value in tomllib.loads(made).items() if key != "rules"} == {
        key: value for key, value in tomllib.loads(TEXT).items() if key != "rules"
    }
