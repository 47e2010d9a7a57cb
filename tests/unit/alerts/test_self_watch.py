"""What the engine tells of itself, by a clock that a test moves, and by looks that it makes up."""

import pytest

from htmengine.alerts import deliveries
from htmengine.alerts.engine_limits import Limits
from htmengine.alerts.self_watch import (
    BEGIN_HOLD_S,
    COOLDOWN_S,
    END_HOLD_S,
    INTERVAL_S,
    REFUSALS_S,
    Look,
    SelfWatch,
    look,
)
from htmengine.config import embedded
from htmengine.service import capacity
from htmengine.service.context import opened
from tests.unit.alerts.world import FakeTarget, stored
from tests.unit.service.test_capacity import MEASURED

WELL = Look(rows=1000, rejected=0, lag_s=0.0, dead_letters=0, free_bytes=50 << 30, size_bytes=100 << 30)
FULL = {"free_bytes": 1 << 30}


class Engine:
    """An engine that is as `now` says, and gets samples while `samples` of them come at each look."""

    def __init__(self, world):
        self.world = world
        self.now = WELL
        self.samples = 10
        self.limits = Limits()
        self.after_s = 0.0
        self.begin()

    def begin(self):
        self.watch = SelfWatch(
            self.world.database,
            self.world.writer,
            lambda: self.now,
            clock=self.world.clock,
            timer=self.world.timer,
        )

    def run(self, for_s, **what):
        """Let time pass, while the engine is otherwise as before but for this."""
        self.now = self.now._replace(**what)
        self.watch.use(self.limits, self.world.targets)
        self.world.write()
        for _ in range(int(for_s / INTERVAL_S)):
            self.after_s += INTERVAL_S
            self.now = self.now._replace(rows=self.now.rows + self.samples)
            self.world.at(self.after_s)
            self.world.writer._lease.renewed()  # no metric alarms, so that this is all that it would do
            self.watch.work()
        while self.world.send():
            pass

    def states(self):
        return [(row.rule, row.kind) for row in self.world.rows()]


@pytest.fixture
def ops(world):
    ops = FakeTarget("ops")
    world.use(ops)
    world.write()
    return ops


@pytest.fixture
def engine(world, ops):
    return Engine(world)


LASTING = BEGIN_HOLD_S + 2 * INTERVAL_S
OVER = END_HOLD_S + 2 * INTERVAL_S


def test_what_is_wrong_for_a_while_is_told_once_and_when_it_is_over(engine, ops):
    engine.run(300)
    assert engine.states() == []
    engine.run(LASTING, **FULL)
    engine.run(7200)
    assert engine.states() == [("disk", "opened")]
    engine.run(OVER, free_bytes=50 << 30)
    engine.run(7200)
    assert engine.states() == [("disk", "opened"), ("disk", "resolved")]
    first, second = ops.taken
    assert (first.subject, first.title) == ("engine", "Warning: htmengine: disk")
    assert "1,024 MiB left, 1.0%" in first.sentence
    assert (second.incident, second.first) == (first.incident, first.first)
    assert first.is_first
    assert not second.is_first


def test_what_passes_soon_is_not_told_and_neither_is_that_it_is_well_for_a_moment(engine):
    for _ in range(10):
        engine.run(BEGIN_HOLD_S / 2, **FULL)
        engine.run(BEGIN_HOLD_S / 2, free_bytes=50 << 30)
    assert engine.states() == []
    engine.run(LASTING, **FULL)
    for _ in range(10):
        engine.run(END_HOLD_S / 2, free_bytes=50 << 30)
        engine.run(END_HOLD_S / 2, **FULL)
    assert engine.states() == [("disk", "opened")]


def test_what_lies_between_the_limit_and_well_changes_nothing(engine):
    engine.run(LASTING, lag_s=290.0)
    assert engine.states() == []
    engine.run(LASTING, lag_s=310.0)
    engine.run(3600, lag_s=290.0)
    assert engine.states() == [("lag", "opened")]
    engine.run(OVER, lag_s=10.0)
    assert engine.states() == [("lag", "opened"), ("lag", "resolved")]


def test_trouble_that_comes_back_is_told_when_the_cooldown_is_over(engine):
    engine.run(LASTING, **FULL)
    engine.run(OVER, free_bytes=50 << 30)
    both = [("disk", "opened"), ("disk", "resolved")]
    engine.run(COOLDOWN_S - 300, **FULL)
    assert engine.states() == both
    engine.run(600)
    assert engine.states() == [*both, ("disk", "opened")]


def test_a_service_that_begins_again_does_not_tell_it_twice_and_tells_its_end(engine, world):
    engine.run(LASTING, **FULL)
    world.writer.close()
    world.begin()
    world.use(*world.targets.values())
    engine.begin()
    engine.run(3600)
    assert engine.states() == [("disk", "opened")]
    engine.run(OVER, free_bytes=50 << 30)
    assert engine.states() == [("disk", "opened"), ("disk", "resolved")]


def test_no_samples_are_told_where_there_were_some(engine, ops):
    engine.run(300)
    engine.samples = 0
    engine.run(600 + LASTING)
    assert engine.states() == [("no samples", "opened")]
    (said,) = ops.taken
    assert said.severity == "critical"
    assert "no sample has been stored for 12 min" in said.sentence
    assert said.time - said.started >= 600
    engine.samples = 10
    engine.run(OVER)
    assert engine.states() == [("no samples", "opened"), ("no samples", "resolved")]


def test_a_fresh_engine_that_has_never_had_a_sample_tells_nothing(engine):
    engine.samples = 0
    engine.run(7200, rows=0)
    assert engine.states() == []


def test_after_a_restart_no_samples_are_not_over_before_one_came(engine, world):
    engine.run(300)
    engine.samples = 0
    engine.run(600 + LASTING)
    engine.begin()
    engine.run(1800)
    assert engine.states() == [("no samples", "opened")]


def test_refusals_are_told_by_their_part_of_what_arrives(engine, ops):
    engine.samples = 1000
    for rejected in range(9, 400, 9):
        engine.run(INTERVAL_S, rejected=rejected)
    assert engine.states() == []
    for rejected in range(400, 1000, 20):
        engine.run(INTERVAL_S, rejected=rejected)
    assert engine.states() == [("refusals", "opened")]
    assert "was refused" in ops.taken[0].sentence
    engine.run(REFUSALS_S + OVER)
    assert engine.states() == [("refusals", "opened"), ("refusals", "resolved")]


def test_a_few_refused_samples_of_a_small_fleet_are_not_told(engine):
    engine.samples = 1
    for rejected in range(5):
        engine.run(300, rejected=rejected)
    assert engine.states() == []


def test_refusals_are_seen_also_after_a_service_has_begun_to_count_anew(engine):
    engine.run(60, rejected=100_000)
    for rejected in range(0, 240, 40):
        engine.run(INTERVAL_S, rejected=rejected)
    assert engine.states() == [("refusals", "opened")]


def test_dead_letters_are_told_until_they_are_gone(engine, ops):
    engine.run(LASTING, dead_letters=2)
    engine.run(3600, dead_letters=3)
    engine.run(OVER, dead_letters=0)
    assert engine.states() == [("dead letters", "opened"), ("dead letters", "resolved")]
    assert ops.taken[0].sentence == "2 messages that no service could use were put aside"


def test_each_target_is_told_also_one_that_comes_later_but_none_that_is_disabled(engine, world, ops):
    team, gone = FakeTarget("team"), FakeTarget("gone")
    world.use(ops, gone)
    with world.database.write() as conn:
        deliveries.disable(conn, "gone", 1, "HTTP 410")
    engine.run(LASTING, **FULL)
    world.use(ops, gone, team)
    engine.run(120)
    assert [(row.target, row.kind) for row in world.rows()] == [("ops", "opened"), ("team", "opened")]


def test_without_a_watch_nothing_is_told_and_what_was_told_ends(engine):
    engine.limits = Limits(watch=False)
    engine.run(LASTING, **FULL)
    assert engine.states() == []
    engine.limits = Limits()
    engine.run(LASTING)
    engine.limits = Limits(watch=False)
    engine.run(60)
    assert engine.states() == [("disk", "opened"), ("disk", "resolved")]


def test_a_writer_that_is_not_the_active_one_tells_nothing(engine, world):
    engine.run(60)
    with world.database.write() as conn:
        position = deliveries.begin(conn, 0)
        deliveries.move(conn, position._replace(owner="another", beat=1))
    engine.now = engine.now._replace(**FULL)
    for _ in range(20):
        world.timer.now += INTERVAL_S
        engine.watch.work()
    assert engine.states() == []


def test_a_look_reads_the_engine(tmp_path):
    with opened(embedded(tmp_path / "data")) as context:
        context.bus.declare_queue("q")
        seen = look(context)
    assert (seen.rows, seen.rejected, seen.lag_s, seen.dead_letters) == (0, 0, 0.0, 0)
    assert 0 < seen.free_bytes <= seen.size_bytes


def test_a_notice_of_the_engine_names_what_to_do(engine, world):
    engine.run(LASTING, **FULL)
    assert stored(world.rows()[0]).hint.startswith("Make room")


def test_a_fleet_near_what_the_machine_was_measured_to_carry_is_told(engine):
    promised = capacity.promised_rate(MEASURED)
    engine.samples = round(0.5 * promised * INTERVAL_S)
    engine.run(1200, capacity=MEASURED)
    assert engine.states() == []
    engine.samples = round(0.95 * promised * INTERVAL_S)
    engine.run(1200)
    assert engine.states() == [("capacity", "opened")]
    engine.samples = round(0.5 * promised * INTERVAL_S)
    engine.run(1800)
    assert engine.states()[-1] == ("capacity", "resolved")
