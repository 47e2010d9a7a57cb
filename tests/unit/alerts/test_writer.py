import pytest

from htmengine.alerts import deliveries
from htmengine.alerts.rules import MAX_AGE_S, Rule, Rules, default_rule
from htmengine.alerts.windows import Span
from htmengine.alerts.writer import Writer
from htmengine.service.lease import TAKE_OVER_S
from tests.unit.alerts.world import FakeTarget, stored
from tests.unit.incidents.alarming import BEGIN

QUIET_S = 3600
"""An incident of metrics with a sample each minute is over by then."""


@pytest.fixture
def ops(world):
    ops = FakeTarget("ops")
    world.use(ops)
    world.write()
    return ops


def rule(name="r", **more):
    return Rule(name, targets=("ops",), **more)


def test_an_incident_is_told_of_once_as_opened_and_once_as_resolved(world, ops):
    world.incident()
    for after_s in (10, 20, 600, QUIET_S, QUIET_S + 10):
        world.work(after_s)
    opened, resolved = ops.taken
    assert (opened.kind, resolved.kind) == ("opened", "resolved")
    assert opened.id != resolved.id
    assert opened.first == resolved.first
    assert opened.is_first
    assert not resolved.is_first
    assert (opened.incident, opened.severity, opened.first_mover) == ("i1", "warning", "web.0")
    assert [metric.name for metric in opened.metrics] == ["web.0", "web.1"]
    assert opened.metrics[0].forecast == 410.0
    assert (resolved.ended, resolved.started) == (world.shown()["resolved"], BEGIN)


def test_a_lone_alarm_is_told_of_by_a_rule_that_asks_for_no_more(world, ops):
    world.alarm("web.0", 0)
    world.work(10)
    assert ops.taken == []
    world.use(ops, rules=Rules((rule(),)))
    world.work(20)
    assert ops.kinds() == [("i1", "opened")]
    assert ops.taken[0].severity == "info"


def test_the_page_stands_in_the_notice_where_its_address_is_known(world, ops):
    world.page = "https://engine.example/"
    world.writer.close()
    world.begin()
    world.use(ops)
    world.incident()
    world.work(10)
    assert ops.taken[0].url == "https://engine.example/i/i1"
    assert ops.taken[0].actions[0].url.startswith("https://engine.example/i/i1?")


def test_what_grows_is_told_again_when_it_is_graver_and_not_too_often(world, ops):
    world.use(ops, rules=Rules((rule("grave", metrics=3, severity="critical"), rule("any"))))
    world.alarm("web.0", 0)
    world.work(10)
    world.alarm("web.1", 60)
    world.work(70)
    world.alarm("web.2", 120)
    world.work(130)
    assert ops.kinds() == [("i1", "opened")]
    world.work(620)
    assert ops.kinds() == [("i1", "opened"), ("i1", "grew")]
    assert (ops.taken[1].severity, ops.taken[1].rule) == ("critical", "grave")
    assert ops.taken[1].first.severity == "info"
    world.work(1300)
    assert len(ops.taken) == 2


def test_an_incident_with_another_first_mover_is_told_again(world, ops):
    world.incident(600)
    world.work(610)
    world.alarm("web.2", 300)  # came late
    world.work(1300)
    assert [one.first_mover for one in ops.taken] == ["web.0", "web.2"]
    assert ops.kinds()[1] == ("i1", "grew")


def test_an_incident_that_begins_again_is_told_again(world, ops):
    world.incident()
    world.work(10)
    world.act("resolve")
    world.work(20)
    world.alarm("web.0", 60)
    world.work(70)
    assert ops.kinds() == [("i1", "opened"), ("i1", "resolved"), ("i1", "opened")]
    assert ops.taken[2].first == ops.taken[0].first


def test_what_was_over_before_it_could_be_told_is_told_as_one(world, ops):
    world.incident()
    world.work(QUIET_S)
    (only,) = ops.taken
    assert (only.kind, only.is_first) == ("resolved", True)


def test_history_is_not_told(world, ops):
    world.incident()
    world.work(QUIET_S + MAX_AGE_S)
    assert ops.taken == []
    (row,) = world.rows()
    assert (row.state, row.due) == ("suppressed", None)
    assert "was over for more than 1 h when it was found" in row.reason
    world.act("comment", note="?")
    world.work(QUIET_S + MAX_AGE_S + 60)
    assert len(world.rows()) == 1


def test_what_happened_before_the_first_start_is_told_if_it_still_goes_on(world):
    world.incident(0, "db")
    world.at(QUIET_S)
    world.incident(QUIET_S, "web")
    world.write()
    with world.database.read() as conn:
        assert deliveries.read_position(conn) is not None
    ops = FakeTarget("ops")
    world.use(ops)
    world.work(QUIET_S + 60)
    assert ops.kinds() == [("i2", "opened")]


def test_in_a_maintenance_nothing_is_told_and_the_reason_is_noted_once(world, ops):
    patching = Span("patching", BEGIN, BEGIN + 1000)
    world.use(ops, rules=Rules((default_rule(["ops"])._replace(maintenance=(patching,)),)))
    world.incident()
    world.work(10)
    world.alarm("web.2", 60)
    world.work(70)
    assert [(row.state, row.reason) for row in world.rows()] == [("suppressed", "maintenance: patching")]
    world.alarm("web.0", 1200)
    world.alarm("web.1", 1200)
    world.work(1210)
    assert ops.kinds() == [("i1", "opened")]


def test_a_metric_that_was_told_of_cools_down(world, ops):
    world.use(ops, rules=Rules((rule(cooldown_s=7200),)))
    world.alarm("web.0", 0)
    world.work(10)
    world.work(QUIET_S)
    world.alarm("web.0", QUIET_S)
    world.work(QUIET_S + 10)
    assert ops.kinds() == [("i1", "opened"), ("i1", "resolved")]
    assert "cool-down" in world.rows()[-1].reason
    world.work(7200)
    world.alarm("web.0", 7300)
    world.work(7310)
    assert [kind for _, kind in ops.kinds()[2:]] == ["opened"]


def test_whoever_acknowledged_is_told_of_the_end_alone(world, ops):
    world.use(ops, rules=Rules((rule("grave", metrics=3, severity="critical"), rule("any"))))
    world.incident()
    world.work(10)
    world.act("ack")
    world.alarm("web.2", 60)
    world.work(900)
    assert ops.kinds() == [("i1", "opened")]
    world.work(QUIET_S)
    assert ops.kinds() == [("i1", "opened"), ("i1", "resolved")]


def test_what_was_acknowledged_before_it_was_told_is_not(world, ops):
    world.incident()
    world.incidents.work()
    world.act("ack")
    world.work(10)
    assert [(row.state, row.reason) for row in world.rows()] == [("suppressed", "acknowledged by ann")]


def test_after_a_snooze_what_still_goes_on_is_told(world, ops):
    world.incident()
    world.work(10)
    world.act("snooze", until=BEGIN + 600)
    world.alarm("web.2", 300)
    world.work(590)
    assert ops.kinds() == [("i1", "opened")]
    world.work(620)
    assert ops.kinds() == [("i1", "opened"), ("i1", "grew")]
    world.work(640)
    assert len(ops.taken) == 2


def test_what_is_snoozed_before_it_was_told_is_told_afterwards(world, ops):
    world.incident()
    world.incidents.work()
    world.act("snooze", until=BEGIN + 600)
    world.work(10)
    assert ops.taken == []
    world.work(620)
    assert ops.kinds() == [("i1", "opened")]


def test_what_turns_out_to_be_part_of_another_is_over_for_who_was_told(world, ops):
    world.use(ops, rules=Rules((rule(),)))
    world.alarm("web.0", 0)
    world.alarm("web.1", 1500)
    world.work(1510)
    assert ops.kinds() == [("i1", "opened"), ("i2", "opened")]
    for name in ("web.2", "web.3"):
        for after_s in (300, 600, 900, 1200):
            world.alarm(name, after_s)
    world.work(1520)
    ended = [one for one in ops.taken if one.kind == "resolved"]
    assert [(one.incident, one.merged_into, one.state) for one in ended] == [("i2", "i1", "part of i1")]
    assert ended[0].metrics[0].name == "web.1"
    assert "part of" not in ended[0].sentence


def test_each_target_is_told_what_its_rules_say(world):
    ops, boss = FakeTarget("ops"), FakeTarget("boss")
    rules = Rules(
        (
            Rule("any", targets=("ops",)),
            Rule("grave", min_score=0.8, targets=("ops", "boss"), severity="critical"),
        ),
        "all",
    )
    world.use(ops, boss, rules=rules)
    world.alarm("web.0", 0)
    world.work(10)
    assert (ops.kinds(), boss.kinds()) == ([("i1", "opened")], [])
    world.alarm("web.1", 60, score=0.9)
    world.work(900)
    assert ops.kinds() == [("i1", "opened"), ("i1", "grew")]
    assert boss.kinds() == [("i1", "opened")]
    assert ops.taken[1].severity == "critical"
    world.work(QUIET_S + 60)
    assert ops.kinds()[-1] == boss.kinds()[-1] == ("i1", "resolved")


def test_rules_that_change_hold_for_what_is_open(world, ops):
    world.use(ops, rules=Rules((rule(fits=lambda name: name.startswith("db")),)))
    world.incident()
    world.work(10)
    assert ops.taken == []
    world.use(ops)
    world.work(20)
    assert ops.kinds() == [("i1", "opened")]


def test_a_notice_has_the_same_identity_whenever_it_is_stored(world, ops):
    world.incident()
    world.write()
    (row,) = world.rows()
    assert stored(row).id == f"i1-{row.id}"
    with world.database.write() as conn:
        assert stored(row).installation == deliveries.installation_id(conn)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("where", ["alerts.stored", "alerts.committed"])
def test_a_writer_that_is_killed_loses_and_doubles_nothing(world, ops, where):
    def step(name):
        if name == where:
            raise Killed

    world.writer.close()
    world.incident()
    world.begin(step)
    world.use(ops)
    with pytest.raises(Killed):
        world.write()
    world.begin()
    world.use(ops)
    world.work(10 + TAKE_OVER_S)  # looks for the first time
    world.work(10 + 2 * TAKE_OVER_S)
    assert ops.kinds() == [("i1", "opened")]


def test_one_writer_is_active_and_another_takes_over_when_it_stands_still(world, ops):
    world.write()
    other = Writer(world.database, world.rules, clock=world.clock, timer=world.timer)
    other.work()
    assert (world.writer.is_fresh(), other.is_fresh()) == (True, False)
    world.incident()
    world.at(5)
    world.incidents.work()
    other.work()
    assert world.rows() == []
    world.at(5 + TAKE_OVER_S)
    other.work()
    assert len(world.rows()) == 1
    assert other.is_fresh()
    assert not world.writer.is_fresh()
    world.writer.work()
    assert len(world.rows()) == 1


def test_a_writer_that_ends_in_good_order_is_replaced_at_once(world, ops):
    world.write()
    world.writer.close()
    other = Writer(world.database, world.rules, clock=world.clock, timer=world.timer)
    other.work()
    assert other.is_fresh()
