import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.alerts import rules_file
from htmengine.alerts.engine_limits import Limits
from htmengine.alerts.rules import AlarmFacts, Match, judge
from htmengine.alerts.toml_lines import lines_of
from htmengine.errors import ConfigError

WHOLE = """
mode = "all"
max_age = "2h"
maintenance = "patching"

[targets.ops]
kind = "webhook"
url = "https://chat.example/hook"

[targets.night]
kind = "terminal"

[windows.office]
cron = "0 8 * * mon-fri"
duration = "10h"
timezone = "Europe/Berlin"

[windows.patching]
from = 2030-01-01T10:00:00Z
to = 2030-01-01T12:00:00Z

[[rules]]
name = "databases"
match = ["db.*", "sql.*"]
exclude = "*.test"
tags = ["dc=fra", "host!=~old"]
severity = "critical"
min_score = 0.7
direction = "up"
min_deviation = { absolute = 5, percent = 20 }
causes = ["jump", "error"]
at_least = { rows = 3, metrics = 2 }
active = "office"
targets = "ops"
cooldown = "1h"

[[rules]]
name = "rest"
budget = 2
"""


def read(text):
    found = rules_file.parse(text, Path("alerts.toml"))
    rules_file.check(Path("alerts.toml"), found)
    return found


def refused(text):
    with pytest.raises(ConfigError) as caught:
        read(text)
    return str(caught.value).splitlines()


def test_a_file_says_everything_of_its_rules():
    found = read(WHOLE)
    assert (found.rules.mode, found.rules.max_age_s) == ("all", 7200)
    assert list(found.targets) == ["ops", "night"]
    databases, rest = found.rules.rules
    assert databases.severity == "critical"
    assert (databases.min_score, databases.direction) == (0.7, "up")
    assert (databases.min_absolute, databases.min_percent) == (5, 20)
    assert databases.causes == {"jump", "error"}
    assert (databases.rows, databases.metrics) == (3, 2)
    assert [window.name for window in databases.active] == ["office"]
    assert [window.name for window in databases.maintenance] == ["patching"]
    assert (databases.targets, databases.cooldown_s) == (("ops",), 3600)
    assert (rest.targets, rest.budget) == (("ops", "night"), 2)


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("db.load;dc=fra;host=new", True),
        ("sql.load;dc=fra", True),
        ("db.load", False),
        ("db.load;dc=nyc", False),
        ("db.load;dc=fra;host=older", False),
        ("web.load;dc=fra", False),
        ("db.load;dc=fra.test", False),
    ],
)
def test_a_rule_is_about_the_metrics_that_fit_its_patterns_and_tags(name, fits):
    assert bool(read(WHOLE).rules.rules[0].fits(name)) == fits


def test_one_target_alone_is_told_of_all_but_lone_alarms():
    (rule,) = read('[targets.ops]\nkind = "terminal"').rules.rules
    assert rule.targets == ("ops",)

    def matches(*uids):
        return isinstance(judge(rule, [AlarmFacts(uid, uid, 0, 0.5, 1.0) for uid in uids]), Match)

    assert [matches("a"), matches("a", "a"), matches("a", "a", "a"), matches("a", "b")] == [
        False,
        False,
        True,
        True,
    ]


def test_an_empty_file_tells_nobody():
    assert read("").rules.rules == ()


TARGET = '[targets.ops]\nkind = "terminal"\n'
RULE = f'{TARGET}\n[[rules]]\nname = "r"\n'


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[[rules]]\nname = 'r'\n", 1, "[targets.NAME]"),
        (f"{TARGET}[[rules]]\n", 3, "has no name"),
        (f"{RULE}[[rules]]\nname = 'r'\n", 7, "another rule"),
        (f"{RULE}min_score = 1.5\n", 6, "1.5 is above 1; give a number from 0.5 to 1"),
        (f"{RULE}min_score = '0.7'\n", 6, "is no number"),
        (f"{RULE}min_score = nan\n", 6, "is no number"),
        (f"{RULE}severity = 'bad'\n", 6, "info, warning, critical"),
        (f"{RULE}direction = 'left'\n", 6, "both, up, down"),
        (f"{RULE}causes = ['jump', 'wind']\n", 6, "sequence, jump"),
        (f"{RULE}cooldown = '30'\n", 6, '"30min"'),
        (f"{RULE}match = ''\n", 6, "is empty"),
        (f"{RULE}match = []\n", 6, "is no list of texts"),
        (f"{RULE}tags = 'dc'\n", 6, "tag=value"),
        (f"{RULE}tags = 'dc=~('\n", 6, "is not a regular expression"),
        (f"{RULE}targets = 'mail'\n", 6, "there are ops"),
        (f"{RULE}active = 'day'\n", 6, "add [windows.day]"),
        (f"{RULE}at_least = 3\n", 6, "{ name = value }"),
        (f"{RULE}at_least = {{ rows = 0 }}\n", 6, "less than 1"),
        (f"{RULE}at_least = {{ row = 1 }}\n", 6, "do you mean rows?"),
        (f"{RULE}min_deviation = {{ percent = -1 }}\n", 6, "less than 0"),
        (f"{RULE}budget = 2\nmin_score = 0.6\n", 6, "both given"),
        (f"{RULE}min_scor = 0.6\n", 6, "do you mean min_score?"),
        (f"{RULE}\n\nmatch = [\n  'a',\n  ''\n]\n", 8, "is empty"),
        (f"{TARGET}[rules]\nname = 'r'\n", 3, "[[rules]]"),
        ("mode = 'some'\n", 1, "first, all"),
        ("max_age = 7\n", 1, "is no duration"),
        ("rule = 7\n", 1, "do you mean rules?"),
        ("[targets]\nops = 7\n", 2, "[targets.NAME]"),
        ("[targets.'a/b']\nkind = 'terminal'\n", 1, "other characters"),
        ("[windows.w]\n", 1, "one of cron"),
        ("[windows.w]\ncron = '0 8 * * *'\n", 1, "has cron and no duration"),
        ("[windows.w]\ncron = '99 8 * * *'\nduration = '1h'\n", 2, "99 8"),
        ("[windows.w]\ncron = '0 8 * * *'\nduration = '1h'\ntimezone = 'Mars'\n", 4, "Europe/Berlin"),
        ("[windows.w]\nfrom = 2030-01-01T00:00:00\n", 1, "has from and no to"),
        ("[windows.w]\nfrom = 2030-01-01T00:00:00\nto = 2029-01-01T00:00:00\n", 3, "not later than from"),
        ("[windows.w]\nfrom = '2030-01-01'\nto = 2029-01-01T00:00:00\n", 2, "without quotes"),
        ("[windows.w]\nical = 'no-such.ics'\n", 2, "cannot be read"),
        ("a = 1\nb = \n", 2, "is no TOML"),
        ("[[rules]\n", 1, "is no TOML"),
        ('a = """\n', 2, "is no TOML"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text, line, said):
    (fault,) = refused(text)
    assert fault.startswith(f"alerts.toml:{line}: ")
    assert said in fault


def test_all_faults_are_told_in_the_order_of_their_lines():
    faults = refused("mode = 1\n[targets.x]\n[[rules]]\nname = 'r'\nbudget = 0\ncooldown = 1\n")
    assert [fault.split(": ")[0] for fault in faults] == ["alerts.toml:1", "alerts.toml:5", "alerts.toml:6"]


def test_lines_end_as_windows_has_them():
    (fault,) = refused(f"{RULE}min_score = 3\n".replace("\n", "\r\n"))
    assert fault.startswith("alerts.toml:6: ")


names = st.sampled_from(["a", "b", "c"])
values = st.one_of(
    st.integers(0, 99).map(str),
    st.sampled_from(
        ["true", "'x'", '"""\nb = 1\n[c]\n"""', "[\n1,\n# c = 2\n2]", "{ a = 1 }", "1979-05-27T07:32:00Z"]
    ),
)
tables = st.lists(st.tuples(names, values), unique_by=lambda pair: pair[0], max_size=3)


@given(
    top=tables,
    arrays=st.lists(tables, max_size=3),
    blanks=st.lists(st.sampled_from(["", "# d = 1", "   "]), min_size=12, max_size=12),
)
def test_every_value_is_found_on_the_line_where_it_was_written(top, arrays, blanks):
    lines, expected = [], {}

    def write(text, path):
        if blanks:
            lines.append(blanks.pop())
        expected[path] = len(lines) + 1
        lines.extend(text.split("\n"))

    for name, value in top:
        write(f"{name} = {value}", (name,))
    for place, table in enumerate(arrays):
        write("[[list]]", ("list", place))
        for name, value in table:
            write(f"{name} = {value}", ("list", place, name))
    text = "\n".join(lines)
    tomllib.loads(text)
    assert lines_of(text, expected) == expected


def test_limits_of_the_engine_are_read_and_what_is_not_said_is_as_usual():
    usual = Limits()
    assert read("").engine == usual
    assert read("[engine]\n").engine == usual
    found = read(
        '[engine]\nwatch = false\nno_samples_for = "1h"\nlag = "90s"\nrefused = "0.5%"\ndisk_free = "10 %"\n'
    )
    assert found.engine == Limits(False, 3600.0, 90.0, 0.005, 0.1)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('watch = "yes"', 'watch = "yes" is neither true nor false'),
        ("lag = 5", 'lag = 5 is no duration; write it as "90s"'),
        ('no_samples_for = "5s"', 'no_samples_for = "5s" is less than 60 s'),
        ("disk_free = 0.05", 'disk_free = 0.05 is no percentage; write it as "5%"'),
        ('refused = "100%"', "does not lie between 0% and 100%"),
        ('disk = "5%"', "disk is not known"),
    ],
)
def test_faults_of_the_engine_s_limits_are_told_with_their_lines(line, fault):
    with pytest.raises(ConfigError) as caught:
        read(f"[engine]\n{line}\n")
    assert "alerts.toml:2: engine: " in str(caught.value)
    assert fault in str(caught.value)


def test_an_engine_that_is_no_table_is_refused():
    with pytest.raises(ConfigError, match=r"alerts.toml:1: engine is no table; write \[engine\]"):
        read("engine = true\n")
