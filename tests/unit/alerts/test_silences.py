"""People are told of metrics that fall silent, and that they send again."""

import pytest

from htmengine.alerts.rules import Rule, Rules
from htmengine.repository import silences
from htmengine.repository.silences import Silence
from tests.unit.alerts.world import FakeTarget
from tests.unit.incidents.alarming import BEGIN


@pytest.fixture
def ops(world):
    ops = FakeTarget("ops")
    world.use(ops)
    world.write()
    return ops


def fall_silent(world, *names):
    with world.database.write() as conn:
        silences.lock_position(conn)
        silences.add(
            conn,
            [
                Silence(number, 1, world.uids[name], 100, BEGIN, 7.0, 60.0, BEGIN + 360)
                for number, name in enumerate(names, 1)
            ],
        )


def send_again(world, until_s):
    with world.database.write() as conn:
        lasting = silences.lasting(conn)
        silences.end(conn, {silence.id: BEGIN + until_s for silence in lasting}, 2)


def silent(**more):
    return Rules((Rule("gone", targets=("ops",), causes=frozenset({"silence"}), **more),))


def test_metrics_that_fall_silent_together_are_one_message_and_one_when_they_send_again(world, ops):
    fall_silent(world, "web.0", "web.1", "web.2")
    world.work(360)
    (opened,) = ops.taken
    assert (opened.kind, opened.severity, opened.metric_count) == ("opened", "warning", 3)
    assert opened.sentence.startswith("3 metrics of web fell silent at the same time")
    assert {metric.cause for metric in opened.metrics} == {"silence"}
    world.work(40 * 3600)
    assert len(ops.taken) == 1
    send_again(world, 40 * 3600)
    world.work(40 * 3600 + 10)
    (_, resolved) = ops.taken
    assert (resolved.kind, resolved.ended) == ("resolved", BEGIN + 40 * 3600)


def test_a_lone_metric_is_told_of_by_a_rule_for_silences_and_by_no_other(world, ops):
    fall_silent(world, "web.0")
    world.work(360)
    assert ops.taken == []
    world.use(ops, rules=Rules((Rule("jumps", targets=("ops",), causes=frozenset({"jump"})),)))
    world.work(400)
    assert ops.taken == []
    world.use(ops, rules=silent())
    world.work(420)
    assert [(one.kind, one.severity, one.rule) for one in ops.taken] == [("opened", "info", "gone")]


def test_conditions_of_score_and_deviation_do_not_concern_silences_and_alarms_are_not_told_by_their_rule(
    world, ops
):
    world.use(ops, rules=silent(min_score=0.9, min_absolute=100.0, min_percent=50.0))
    world.alarm("db.0", 0)
    world.work(10)
    assert ops.taken == []
    fall_silent(world, "web.0")
    world.work(360)
    assert [one.first_mover for one in ops.taken] == ["web.0"]


def test_a_rule_for_one_direction_is_not_about_silences(world, ops):
    world.use(ops, rules=silent(direction="down"))
    fall_silent(world, "web.0")
    world.work(360)
    assert ops.taken == []
