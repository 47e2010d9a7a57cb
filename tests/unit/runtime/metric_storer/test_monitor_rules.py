from importlib.resources import files
from pathlib import Path

import pytest

from htmengine.config import RULES_FILE
from htmengine.errors import ConfigError
from htmengine.repository.metrics import MetricState
from htmengine.repository.status import MetricStatus
from htmengine.runtime.metric_storer import monitor_rules


@pytest.fixture
def load(tmp_path: Path):
    def load(text):
        path = tmp_path / "rules.conf"
        path.write_text(text, encoding="utf-8")
        return monitor_rules.load(path)

    return load


def test_the_first_rule_that_fits_decides(load):
    rules = load(
        """
        [limits]
        metrics = 100

        [internal]
        pattern = *.internal.*
        action = ignore

        [load]
        regex = host\\d+\\.load   ; of all hosts
        action = monitor
        min = 0
        max = 64
        model = nupic
        resource = hosts
        limit = 5

        [web]
        pattern = web.[ab]*
        action = monitor
        """.replace("\n        ", "\n")
    )
    assert rules.limit == 100
    assert rules.first("host1.internal.load").monitor is False
    load_rule = rules.first("host12.load")
    assert (load_rule.name, load_rule.model, load_rule.limit) == ("load", "nupic", 5)
    assert rules.first("host12.load.avg") is None
    assert rules.first("xhost12.load") is None
    assert rules.first("web.all.requests").name == "web"
    assert rules.first("web.c") is None
    assert rules.first("WEB.all") is None


def test_a_rule_says_what_monitor_metric_takes(load):
    rules = load(
        "[a]\npattern = a*\naction = monitor\nmin = -1\nmax = 2.5\nresource = r\n[b]\npattern = *\naction = monitor\n"
    )
    assert rules.first("a").specification("u") == {
        "datasource": "custom",
        "metricSpec": {"uid": "u", "resource": "r"},
        "modelParams": {"min": -1.0, "max": 2.5},
    }
    assert rules.first("b").specification("u") == {"datasource": "custom", "metricSpec": {"uid": "u"}}


def test_a_percent_sign_is_a_percent_sign(load):
    assert load("[a]\npattern = 100%*\naction = monitor\n").first("100%.done")


def test_every_fault_is_told_at_once(load, tmp_path):
    with pytest.raises(ConfigError) as raised:
        load(
            "[limits]\nmetrics = many\n[a]\npatern = x\naction = watch\nmin = 1\n"
            "[b]\npattern = x\nregex = (\naction = monitor\nmin = 5\nmax = nan\nmodel = best\nlimit = -1\nsilence = soon\n"
            "[c]\npattern =\nmin = 5\nmax = 4\nresource =\n"
        )
    found = str(raised.value).replace(str(tmp_path / "rules.conf"), "FILE").splitlines()
    assert found == [
        'FILE: [limits] metrics = "many" is not a whole number',
        "FILE: [a] patern is no option; known here: pattern, regex, action, min, max, model, resource, limit, silence",
        "FILE: [a] has neither pattern nor regex",
        'FILE: [a] action = "watch" is neither monitor nor ignore',
        "FILE: [a] has one of min and max; give both or none",
        "FILE: [b] has both pattern and regex; one is needed",
        'FILE: [b] max = "nan" is not finite',
        'FILE: [b] model = "best" is none of default, nupic, nupic-tm, nupic-0.3',
        'FILE: [b] limit = "-1" is not a whole number',
        'FILE: [b] silence = "soon" is neither a time, such as 90s, 10m, 2h or 1d, nor off',
        'FILE: [c] pattern = "" fits nothing',
        "FILE: [c] has no action; it is monitor or ignore",
        "FILE: [c] max = 4.0 is below min = 5.0",
        'FILE: [c] resource = "" has not 1 to 100 characters',
    ]
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("text", ["pattern = *", "[a]\n[a]\n", "[a]\nno assignment\n"])
def test_a_file_that_is_no_configuration_is_refused(load, text):
    with pytest.raises(ConfigError, match="cannot be read"):
        load(text)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"no-such\.conf: cannot be read"):
        monitor_rules.load(tmp_path / "no-such.conf")


def test_the_rules_that_come_with_the_engine_monitor_everything():
    rules = monitor_rules.load(Path(str(files("htmengine.config.templates") / RULES_FILE)))
    assert rules.first("any.metric").monitor
    assert rules.limit == 100_000


def state(name, status, generation=0):
    return MetricState("uid of " + name, name, "custom", status, generation, 0, 0, 0, None)


def test_metrics_beyond_a_limit_are_counted(load):
    rules = load(
        "[limits]\nmetrics = 4\n[none]\npattern = x*\naction = ignore\n[a]\npattern = a*\naction = monitor\nlimit = 1\n"
        "[rest]\npattern = *\naction = monitor\n"
    )
    known = [
        state("a1", MetricStatus.ACTIVE),
        state("a2", MetricStatus.UNMONITORED),
        state("a3", MetricStatus.UNMONITORED, generation=1),  # somebody wants it so
        state("b1", MetricStatus.PENDING_DATA),
        state("b2", MetricStatus.UNMONITORED),
        state("x1", MetricStatus.UNMONITORED),
        state("x2", MetricStatus.ACTIVE),  # no rule's
    ]
    assert monitor_rules.Quota(rules, known).beyond() == {("a", 1): 1}
    known += [state(f"c{number}", MetricStatus.ERROR) for number in range(2)]
    assert monitor_rules.Quota(rules, known).beyond() == {("a", 1): 1, ("limits", 4): 1}
