import math
from importlib.resources import files
from pathlib import Path

import pytest

from htmengine.config import RULES_FILE
from htmengine.doors.reasons import Reason
from htmengine.errors import ConfigError
from htmengine.repository.metrics import MetricState
from htmengine.repository.status import MetricStatus
from htmengine.runtime.metric_storer import monitor_rules
from htmengine.runtime.metric_storer.monitor_rules import Gathering


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
    options = (
        "pattern, regex, internals, action, rename, keep_tags, drop_tags, kind, interval, aggregation, delay, "
        "silence, min, max, model, resource, limit"
    )
    assert found == [
        'FILE: line 2: [limits] metrics = "many" is not a whole number',
        f"FILE: line 4: [a] patern is no option; known here: {options}",
        "FILE: line 3: [a] has none of pattern, regex, internals; one is needed",
        'FILE: line 5: [a] action = "watch" is not monitor, ignore or drop',
        "FILE: line 3: [a] has one of min and max; give both or none",
        "FILE: line 7: [b] has both pattern and regex; one is needed",
        'FILE: line 12: [b] max = "nan" is not finite',
        'FILE: line 13: [b] model = "best" is not default, nupic, nupic-tm or nupic-0.3',
        'FILE: line 14: [b] limit = "-1" is not a whole number',
        'FILE: line 15: [b] silence = "soon" is neither a time, such as 90s, 10m, 2h or 1d, nor off',
        'FILE: line 17: [c] pattern = "" fits nothing',
        "FILE: line 16: [c] has no action; it is monitor, ignore or drop",
        "FILE: line 19: [c] max = 4.0 is below min = 5.0",
        'FILE: line 20: [c] resource = "" has not 1 to 100 characters',
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


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[a]\npattern = *\nrename = b\n", "line 3: [a] rename needs a regex"),
        ("[a]\nregex = (.*)\nrename =\n", 'line 3: [a] rename = "" is empty'),
        ("[a]\nregex = (.*)\nrename = x\\2\n", r'line 3: [a] rename = "x\2" refers to \2'),
        ("[a]\nregex = (.*)\nrename = \\g<b>\n", r"refers to \g<b>, which"),
        ("[a]\nregex = (.*)\nrename = a\\w\n", "has a backslash that refers to no part"),
        ("[a]\nregex = (\nrename = b\n", 'line 2: [a] regex = "(" is not a regular expression'),
        ("[a]\npattern = *\ndrop_tags =\n", 'line 3: [a] drop_tags = "" names no tags'),
        (
            "[a]\npattern = *\ndrop_tags = a\naction = drop\n",
            "line 1: [a] has drop_tags, and so nothing else",
        ),
        ("[a]\npattern = *\ndrop_tags = a\nkeep_tags = b\n", "line 1: [a] has keep_tags, and so nothing"),
        (
            "[m]\npattern = *\naction = monitor\n[a]\npattern = *\ndrop_tags = a\n",
            "line 4: [a] changes names, and stands behind [m]",
        ),
        (
            "[a]\ninternals = nagios\naction = drop\n",
            'line 2: [a] internals = "nagios" names no known agents',
        ),
        ("[a]\npattern = *\nkind = rate\n", 'line 3: [a] kind = "rate" is not counter or gauge'),
        ("[a\x0bb]\npattern = *\nkind = rate\n", 'line 3: [a\x0bb] kind = "rate" is not'),
        ("[a] ; x]\npattern = *\nkind = rate ; y\n", 'line 3: [a] kind = "rate" is not'),
        ("[a]\npattern = *\ninterval = 5 minutes\n", 'line 3: [a] interval = "5 minutes" is not a time'),
        ("[a]\npattern = *\ndelay = 2d\n", 'line 3: [a] delay = "2d" is longer than a day'),
        (
            "[a]\npattern = *\naction = ignore\naggregation = sum\n",
            "line 4: [a] aggregation needs an interval",
        ),
        ("[a]\npattern = *\ninterval = 5m\naggregation = avg\n", 'aggregation = "avg" is not mean, sum, '),
        ("[a]\npattern = *\naction = ignore\nmin = 1\nmax = 2\n", "line 4: [a] min is for rules with action"),
        ("[a]\npattern = *\nkind = gauge\nlimit = 5\n", "line 4: [a] limit is for rules with action"),
    ],
)
def test_a_fault_is_told_with_its_line(load, text, fault):
    with pytest.raises(ConfigError) as raised:
        load(text)
    assert fault in str(raised.value)


NAMES = """
[test]
pattern = *;env=test*
action = drop

[apps]
regex = app\\.(\\w+)\\.(?P<rest>.*)
rename = \\g<rest>;app=\\1

[pods]
pattern = *;pod=*
drop_tags = pod, k8s_*

[db]
pattern = db.*
keep_tags = host
"""


@pytest.mark.parametrize(
    ("sent", "stored", "rules"),
    [
        ("web.load", "web.load", []),
        ("app.shop.load", "load;app=shop", ["apps"]),
        ("app.shop.load;pod=a", "load;app=shop", ["apps", "pods"]),
        ("load;a=1;k8s_node=n;pod=x", "load;a=1", ["pods"]),
        ("db.rows;a=1;host=b;z=2", "db.rows;host=b", ["db"]),
        ("db.rows", "db.rows", ["db"]),
    ],
)
def test_names_are_changed_by_rule_after_rule(load, sent, stored, rules):
    way = load(NAMES).way(sent)
    assert way.name == stored
    assert [step.rule.name for step in way.steps] == rules
    assert way.refusal is None


def test_a_name_that_a_rule_makes_too_long_or_empty_is_refused(load):
    rules = load("[a]\nregex = a(.*)\nrename = \\1\n[b]\nregex = b(.*)\nrename = \\1\\1\n")
    assert rules.way("abc").name == "cc"
    assert rules.way("a").refusal is Reason.NO_NAME
    assert rules.way("b" + "x" * 200).refusal is Reason.LONG_NAME


def test_what_is_dropped_is_not_stored_and_an_action_before_it_keeps_it(load):
    rules = load("[keep]\npattern = net.important\naction = monitor\n[net]\npattern = net.*\naction = drop\n")
    assert rules.way("net.important").refusal is None
    assert rules.way("net.other").refusal is Reason.DROPPED
    assert rules.first("net.other").monitor is False
    assert rules.way("web").decides is None


def test_names_of_stored_metrics_are_not_changed_again(load):
    rules = load(
        "[drop]\npattern = a\naction = drop\n[more]\nregex = (.*)\nrename = x.\\1\n"
        "[all]\npattern = x.x.*\naction = ignore\n[rest]\npattern = *\naction = monitor\n"
    )
    assert rules.way("b").name == "x.b"
    assert rules.first("x.b").name == "rest"
    assert rules.first("a").name == "rest"  # what has this name came under another


def test_rules_without_an_action_add_what_they_say(load):
    rules = load(
        "[totals]\npattern = *_total\nkind = counter\n[not this]\npattern = odd_total\nkind = gauge\n"
        "[quiet]\npattern = q*\nsilence = off\n[all]\npattern = *\naction = monitor\nsilence = 10m\nkind = gauge\n"
        "[behind]\npattern = *\naction = drop\n"
    )
    assert rules.way("odd_total").kind == "counter"  # the first that says it
    assert rules.way("load").kind == "gauge"
    assert rules.way("q_total").silence_s == math.inf
    assert rules.way("load").silence_s == 600.0
    assert rules.first("q_total").name == "all"


def test_the_first_interval_and_the_first_delay_say_how_samples_wait(load):
    rules = load(
        "[late]\npattern = late.*\ndelay = 90s\n[sums]\npattern = *.sum\ninterval = 5m\naggregation = sum\n"
        "[rest]\npattern = *\ninterval = 1m\ndelay = 5s\naction = ignore\n"
    )
    assert rules.way("late.sum").gathering == Gathering(300, "sum", 90)
    assert rules.way("load").gathering == Gathering(60, "mean", 5)
    assert load("[a]\npattern = *\ndelay = 1m\n").way("load").gathering == Gathering(0, "mean", 60)
    assert load("[a]\npattern = *\nkind = gauge\n").way("load").gathering is None


INTERNAL = """
carbon.agents.host-a.cpuUsage carbon.relays.host.metricsReceived
web01_example_com.collectd-write_queue.queue_length collectd-cache.cache_size
icinga2.host.services.ping.ping4.metadata.state icinga2.host.host.hostalive.metadata.latency
icinga2.host.services.ping.ping4.perfdata.rta.warn
netdata.web.netdata.statsd_metrics.gauges netdata.web.example.netdata.plugin_proc_cpu.user
up;instance=a:9100;job=node scrape_duration_seconds;instance=a:9100;job=node scrape_samples_scraped
ALERTS;alertname=Down;alertstate=firing prometheus_tsdb_head_series
go_goroutines;instance=a process_cpu_seconds_total;job=x promhttp_metric_handler_requests_total;code=200
node_scrape_collector_duration_seconds;collector=cpu
statsd.packets_received stats.statsd.bad_lines_seen stats_counts.statsd.metrics_received
internal_memstats.alloc_bytes;host=a internal_write.buffer_size
otelcol_exporter_sent_spans vmagent_remotewrite_requests_total datadog.agent.running
"""
OF_THE_MACHINE = """
host.cpu-0.cpu-user icinga2.host.services.ping.ping4.perfdata.rta.value
netdata.web.system.cpu.user node_cpu_seconds_total;cpu=0;mode=idle node_load1 uptime upstream.latency
carbon.copies.printed goals.scored processed.orders scrapes statsd_like internals.of.ours
stats.gauges.orders disk_internal.read cpu.usage_idle;host=a
"""


def test_what_known_agents_send_about_themselves_is_known(load):
    rules = load("[agents]\ninternals = all\naction = drop\n")
    assert [name for name in INTERNAL.split() if not rules.first(name)] == []
    assert [name for name in OF_THE_MACHINE.split() if rules.first(name)] == []
    some = load("[agents]\ninternals = carbon, statsd\naction = drop\n")
    assert some.first("statsd.packets_received")
    assert not some.first("up")


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
