import threading

import pytest

from htmengine.alerts import deliveries, engine_notices
from htmengine.alerts.engine_notices import Trouble
from htmengine.alerts.rules import Rule, Rules
from htmengine.alerts.sender import JITTER, LATE_TRIES, NO_TARGET, OVERTAKEN, PAUSES_S, Sender
from htmengine.alerts.targets.api import Delivered, Gone, Refused, Retry
from tests.unit.alerts.notices import notice
from tests.unit.alerts.world import FakeTarget, stored
from tests.unit.incidents.alarming import BEGIN

QUIET_S = 3600


@pytest.fixture
def ops(world):
    ops = FakeTarget("ops")
    world.use(ops)
    world.write()
    return ops


def test_what_fails_is_tried_again_with_growing_pauses_until_it_is_given_up(world, ops):
    ops.always = Retry("HTTP 503")
    world.incident(service="db")
    world.work(10)
    for tries, pause in enumerate(PAUSES_S, 1):
        (row,) = world.rows()
        assert (row.state, row.tries, row.reason) == ("retrying", tries, "HTTP 503")
        assert row.due == pytest.approx(world.clock.now + pause)
        with world.database.write() as conn:  # the incident goes on for days
            deliveries.change(conn, row._replace(due=world.clock.now))
        world.sender.work()
        world.sender.wait(30)
    (row,) = world.rows()
    assert (row.state, row.tries, row.due) == ("dead", len(PAUSES_S) + 1, None)
    assert len({one.id for one in ops.given}) == 1


@pytest.mark.parametrize(("drawn", "factor"), [(0.0, 1 - JITTER), (1.0, 1 + JITTER)])
def test_pauses_differ_so_that_not_all_come_back_together(world, ops, drawn, factor):
    ops.always = Retry("away")
    world.sender = Sender(
        world.database, world.targets, stop=threading.Event(), clock=world.clock, draw=lambda: drawn
    )
    world.incident()
    world.work(10)
    assert world.rows()[0].due == pytest.approx(BEGIN + 10 + PAUSES_S[0] * factor)


def test_a_receiver_that_asks_for_a_pause_gets_it_for_all_notices(world, ops):
    ops.answers.append(Retry("HTTP 429", after_s=1700.0))
    world.incident(service="web")
    world.work(10)
    world.incident(service="db", after_s=1500)
    world.work(1510)
    assert len(ops.given) == 1
    world.work(1709)
    assert ops.taken == []
    world.work(1711)
    assert sorted(ops.kinds()) == [("i1", "opened"), ("i2", "opened")]


def test_what_the_receiver_will_not_take_is_not_sent_again_unless_somebody_asks(world, ops):
    ops.answers.append(Refused("HTTP 400: no such channel"))
    world.incident()
    world.work(10)
    world.work(500)
    (row,) = world.rows()
    assert (row.state, row.reason, len(ops.given)) == ("dead", "HTTP 400: no such channel", 1)
    with world.database.write() as conn:
        deliveries.send_again(conn, row.id, world.clock.now)
    world.work(510)
    (row,) = world.rows()
    assert (row.state, row.reason) == ("delivered", None)
    assert ops.given[0] == ops.given[1]


def test_a_target_that_wants_nothing_any_more_is_disabled(world, ops):
    ops.answers.append(Gone("HTTP 410"))
    world.incident(service="web")
    world.work(10)
    world.incident(service="db", after_s=1500)
    world.work(1510)
    assert [(row.kind, row.state) for row in world.rows()] == [("opened", "dead"), ("opened", "suppressed")]
    assert "disabled: HTTP 410" in world.rows()[1].reason
    with world.database.write() as conn:
        assert deliveries.enable(conn, "ops")
    world.work(1530)
    assert ops.kinds() == [("i2", "opened")]


def test_an_end_overtakes_a_beginning_that_could_not_be_told(world, ops):
    ops.always = Retry("away")
    world.incident()
    world.work(10)
    ops.always = Delivered()
    world.at(QUIET_S)
    world.work(QUIET_S)
    (only,) = ops.taken
    assert (only.kind, only.is_first) == ("resolved", True)
    assert [(row.kind, row.state) for row in world.rows()] == [
        ("opened", "suppressed"),
        ("resolved", "delivered"),
    ]
    assert world.rows()[0].reason == OVERTAKEN


def test_an_end_that_overtakes_news_knows_what_was_told_first(world, ops):
    world.use(
        ops,
        rules=Rules(
            (Rule("grave", metrics=3, severity="critical", targets=("ops",)), Rule("any", targets=("ops",)))
        ),
    )
    world.incident()
    world.work(10)
    ops.always = Retry("away")
    world.alarm("web.2", 60)
    world.work(700)
    ops.always = Delivered()
    world.work(QUIET_S)
    assert ops.kinds() == [("i1", "opened"), ("i1", "resolved")]
    assert ops.taken[1].first == ops.taken[0].first


def test_of_one_incident_nothing_is_told_before_what_comes_first(world, ops):
    world.use(
        ops,
        rules=Rules(
            (Rule("grave", metrics=3, severity="critical", targets=("ops",)), Rule("any", targets=("ops",)))
        ),
    )
    ops.answers.extend([Retry("away")] * 5)
    world.incident()
    world.work(10)
    world.alarm("web.2", 60)
    for after_s in (20, 60, 180, 700, 780):
        world.work(after_s)
    assert ops.taken == []
    world.work(5000)
    assert ops.taken[0].kind in ("opened", "resolved")


def test_one_incident_s_trouble_does_not_hold_up_another(world, ops):
    ops.answers.extend([Retry("away")] * 2)
    world.incident(service="web")
    world.work(10)
    world.incident(service="db", after_s=1500)
    world.work(1510)
    assert ops.kinds() == [("i2", "opened")]


def test_a_target_that_hangs_does_not_hold_up_others(world, ops):
    slow = FakeTarget("slow")
    world.use(ops, slow)
    slow.free.clear()
    world.incident()
    world.write()
    world.sender.work()
    for _ in range(1000):
        if ops.taken:
            break
        threading.Event().wait(0.01)
    assert ops.taken
    assert slow.taken == []
    slow.free.set()
    assert world.sender.wait(30)
    assert slow.kinds() == [("i1", "opened")]


def test_a_target_that_fails_of_a_defect_is_tried_again(world, ops):
    ops.answers.append(ValueError("a defect"))
    world.incident()
    world.work(10)
    assert (world.rows()[0].state, world.rows()[0].reason) == ("retrying", "it failed: ValueError")
    world.work(20)
    assert ops.kinds() == [("i1", "opened")]


def test_what_is_due_to_a_target_that_is_gone_is_not_kept_for_ever(world, ops):
    ops.always = Retry("away")
    world.incident()
    world.work(10)
    other = FakeTarget("other")
    world.use(other)
    world.work(20)
    assert world.states() == [("ops", "opened", "suppressed"), ("other", "opened", "delivered")]
    assert world.rows()[0].reason == NO_TARGET
    assert ops.closed


def test_trouble_with_a_target_is_told_to_the_others_and_when_it_is_over(world, ops):
    mail = FakeTarget("mail")
    world.use(ops, mail)
    ops.answers.extend([Refused("HTTP 404"), Refused("HTTP 404")])
    world.incident(service="web")
    world.work(10)
    world.incident(service="db", after_s=1500)
    world.work(1510)
    trouble = [one for one in mail.taken if one.subject == "engine"]
    assert len(trouble) == 1
    assert "target ops" in trouble[0].sentence
    assert "HTTP 404" in trouble[0].sentence
    world.incident(service="mq", after_s=3000)
    world.work(3010)
    first, second = [one for one in mail.taken if one.subject == "engine"]
    assert (second.kind, second.incident, second.first) == ("resolved", first.incident, first.first)
    assert all(one.subject == "metrics" for one in ops.taken)


def test_the_others_are_told_of_a_target_that_takes_nothing_for_long_before_anything_is_given_up(world, ops):
    mail = FakeTarget("mail")
    world.use(ops, mail)
    ops.always = Retry("HTTP 503")
    world.incident()
    after_s = 10
    for pause in PAUSES_S[: LATE_TRIES - 1]:
        world.work(after_s)
        assert all(one.subject == "metrics" for one in mail.taken)
        after_s += pause + 1
    world.work(after_s)
    (trouble,) = [one for one in mail.taken if one.subject == "engine"]
    assert (
        "the target ops are not delivered; the last that was tried in vain: opened of incident i1 (HTTP 503)"
        in (trouble.sentence)
    )
    ops.always = Delivered()
    world.work(after_s + PAUSES_S[LATE_TRIES - 1] + 1)
    assert [one.kind for one in mail.taken if one.subject == "engine"] == ["opened", "resolved"]


def test_trouble_of_the_engine_that_is_over_before_it_could_be_told_is_told_once_as_over(world, ops):
    trouble = Trouble("disk", "disk", "warning", "the disk is full", "Make room.", BEGIN)
    ops.answers.append(Retry("away"))
    with world.database.write() as conn:
        engine_notices.add(conn, trouble, "opened", {"ops": None}, BEGIN)
    world.work(1)
    (opened,) = world.rows()
    with world.database.write() as conn:
        engine_notices.add(conn, trouble, "resolved", {"ops": stored(opened)}, BEGIN + 2)
    world.work(2)
    world.work(600)
    assert world.states() == [("ops", "opened", "suppressed"), ("ops", "resolved", "delivered")]
    (taken,) = ops.taken
    assert taken.is_first


def test_open_notices_are_repeated_where_the_receiver_needs_that_and_ends_for_a_while(world):
    am = FakeTarget("am", repeat_s=60.0, repeat_resolved_s=300.0)
    world.use(am)
    world.write()
    world.incident()
    for after_s in range(10, 200, 10):
        world.work(after_s)
    assert [one.kind for one in am.taken] == ["opened"] * 4
    assert len({one.id for one in am.taken}) == 1
    for after_s in range(QUIET_S, QUIET_S + 600, 20):
        world.work(after_s)
    ends = [one for one in am.taken if one.kind == "resolved"]
    assert 5 <= len(ends) <= 7
    assert len(world.rows()) == 2


@pytest.mark.parametrize(
    ("repeat_s", "order"), [(1000.0, ["i2", "i1", "i2"]), (500.0, ["i1", "i2"])], ids=["due", "late"]
)
def test_news_go_before_what_needs_to_be_repeated_and_do_not_keep_it_waiting_for_long(world, repeat_s, order):
    am = FakeTarget("am", repeat_s=repeat_s)
    world.use(am)
    world.write()
    world.incident(service="web")
    world.work(10)
    world.work(11)
    world.incident(service="db", after_s=1500)
    am.given.clear()
    world.work(1510)
    assert [one.incident for one in am.given] == order


def test_what_needs_to_be_repeated_is_at_once_after_a_start(world):
    am = FakeTarget("am", repeat_s=60.0)
    world.use(am)
    world.write()
    world.incident()
    world.work(10)
    world.sender = Sender(
        world.database, world.targets, stop=threading.Event(), clock=world.clock, timer=world.timer
    )
    world.work(11)
    assert [one.kind for one in am.taken] == ["opened", "opened"]


def test_many_notices_go_in_a_row_until_one_is_not_taken(world, ops):
    with world.database.write() as conn:
        begin = deliveries.begin(conn, 0)
        rows = [
            deliveries.new(
                number, "ops", notice(number=number, incident=f"i{number}"), BEGIN, incident=number
            )
            for number in range(1, 6)
        ]
        deliveries.add(conn, rows)
        deliveries.move(conn, begin._replace(delivery_id=5))
    ops.answers += [Delivered(), Delivered(), Retry("busy", after_s=100.0)]
    world.at(10)
    world.sender.work()
    world.sender.wait(30)
    assert [row.state for row in world.rows()] == ["delivered", "delivered", "retrying", "pending", "pending"]
    world.work(50)
    assert len(ops.given) == 3
    world.work(200)
    assert [one.incident for one in ops.taken] == ["i1", "i2", "i4", "i5", "i3"]


class Killed(BaseException):
    pass


@pytest.mark.parametrize("where", ["alerts.sent", "alerts.note_stored", "alerts.noted"])
def test_a_sender_that_is_killed_repeats_at_most_what_it_had_handed_over(world, ops, where, monkeypatch):
    monkeypatch.setattr(threading, "excepthook", lambda args: None)

    def step(name):
        if name == where:
            raise Killed

    dying = Sender(
        world.database, world.targets, stop=threading.Event(), clock=world.clock, timer=world.timer, step=step
    )
    world.incident()
    world.at(10)
    world.write()
    dying.work()
    dying.wait(30)
    assert len(ops.taken) == 1
    world.work(20)
    again = 0 if where == "alerts.noted" else 1
    assert [one.id for one in ops.taken] == [ops.taken[0].id] * (1 + again)
    assert [row.state for row in world.rows()] == ["delivered"]
    assert stored(world.rows()[0]) == ops.taken[0]


def test_notices_of_incidents_go_with_them(world, ops):
    from htmengine.repository.retention import remove_incidents

    world.incident()
    world.work(10)
    world.work(QUIET_S)
    assert len(world.rows()) == 2
    with world.database.write() as conn:
        remove_incidents(conn, BEGIN + QUIET_S, limit=10)
    assert world.rows() == []
