import sys
import threading
import time
from dataclasses import replace

import pytest

from htmengine import config
from htmengine.errors import MisuseError
from htmengine.service.context import Context
from htmengine.service.shutdown import STANDSTILL_S, Progress
from htmengine.service.supervisor import MAX_RESTARTS, SWITCH_INTERVAL_S, EngineFailed, Supervisor


@pytest.fixture
def context():
    return Context(settings=config.Settings(), bus=None, database=None, shards=1)


def until_stopped(context):
    context.stop.wait()


def test_a_service_that_dies_is_started_again_and_its_neighbour_goes_on(context, caplog):
    starts = []

    neighbour_starts = []
    neighbour_runs = threading.Event()

    def fragile(context):
        starts.append(len(starts))
        if len(starts) < 3:
            raise RuntimeError("a defect of ours")
        assert neighbour_runs.wait(60)
        context.stop.set()

    def neighbour(context):
        neighbour_starts.append(1)
        neighbour_runs.set()
        context.stop.wait()

    supervisor = Supervisor({"neighbour": neighbour, "fragile": fragile}, context, pause_s=0)
    supervisor.start()
    supervisor.wait()
    assert starts == [0, 1, 2]
    assert neighbour_starts == [1]
    assert supervisor.restarts == {"neighbour": 0, "fragile": 2}
    assert "a defect of ours" in caplog.text


def test_a_service_that_dies_again_and_again_ends_the_engine(context):
    starts = []

    def hopeless(context):
        starts.append(1)
        raise RuntimeError("always")

    supervisor = Supervisor(
        {"hopeless": hopeless, "neighbour": until_stopped}, context, pause_s=0, clock=lambda: 5.0
    )
    supervisor.start()
    with pytest.raises(EngineFailed, match="hopeless: died"):
        supervisor.wait()
    assert len(starts) == MAX_RESTARTS + 1


def test_deaths_long_ago_do_not_count(context):
    starts = []

    def fragile(context):
        starts.append(1)
        if len(starts) <= 2 * MAX_RESTARTS:
            raise RuntimeError("now and then")
        context.stop.set()

    hours = iter(range(1000))
    supervisor = Supervisor({"fragile": fragile}, context, pause_s=0, clock=lambda: 3600.0 * next(hours))
    supervisor.start()
    supervisor.wait()
    assert len(starts) == 2 * MAX_RESTARTS + 1


def test_an_error_for_a_person_ends_the_engine_at_once(context):
    starts = []

    def port_in_use(context):
        starts.append(1)
        raise MisuseError("port 2003: in use.", hint="Choose another with --port.")

    supervisor = Supervisor({"listener": port_in_use, "neighbour": until_stopped}, context, pause_s=0)
    supervisor.start()
    with pytest.raises(MisuseError, match="in use"):
        supervisor.wait()
    assert len(starts) == 1


def test_services_that_take_long_to_stop_are_waited_for_as_long_as_they_move(context):
    now = [0.0]
    context = replace(context, progress=Progress(lambda: now[0]))

    runs, said = threading.Event(), []

    def saving(context):
        runs.set()
        context.stop.wait()
        for number in range(30_000):
            now[0] += STANDSTILL_S - 1
            context.progress.moved(f"{number} saved")
            if number > 10 and said:
                break
            time.sleep(0.001)

    supervisor = Supervisor({"saving": saving}, context)
    supervisor.start()
    assert runs.wait(60)
    context.stop.set()
    supervisor.wait(said.append)


def test_a_service_that_hangs_is_named_at_the_end(context):
    runs, never = threading.Event(), threading.Event()

    def hanging(_context):
        runs.set()
        never.wait()

    supervisor = Supervisor({"hanging": hanging, "neighbour": until_stopped}, context, standstill_s=0.2)
    supervisor.start()
    assert runs.wait(60)
    context.stop.set()
    with pytest.raises(EngineFailed, match="hanging: does not stop"):
        supervisor.wait()
    never.set()


def test_a_service_waits_for_one_that_works_without_a_pause_no_longer_than_needed(context):
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.5)
    rounds = []

    def busy(context):
        while not context.stop.is_set():
            pass

    def brief(context):
        for _ in range(20):
            time.sleep(0)  # gives Python's lock away, and wants it again
            rounds.append(1)
        context.stop.set()

    try:
        supervisor = Supervisor({"busy": busy, "brief": brief}, context)
        supervisor.start()
        supervisor.wait()
        assert len(rounds) == 20
        assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL_S)
    finally:
        sys.setswitchinterval(before)


def test_threads_carry_their_services_names(context):
    names = []

    def work(context):
        names.append(threading.current_thread().name)
        context.stop.set()

    supervisor = Supervisor({"metric_storer": work}, context)
    supervisor.start()
    supervisor.wait()
    assert names == ["metric_storer"]
