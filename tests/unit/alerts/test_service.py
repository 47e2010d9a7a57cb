"""The service as a whole, in a thread, on a repository with incidents."""

import threading
import time
from contextlib import contextmanager

import pytest

from htmengine import config
from htmengine.alerts import deliveries, self_watch, service
from htmengine.service.context import Context, opened
from tests.unit.alerts.kinds import fake_kind
from tests.unit.alerts.world import World
from tests.unit.incidents import alarming

WITHIN_S = 60
OPS = '[targets.ops]\nkind = "fake"\nurl = "http://a"\n'


@pytest.fixture(autouse=True)
def looking_often(monkeypatch):
    """Let the service look soon again for what has changed."""
    monkeypatch.setattr(service, "POLL_INTERVAL_S", 0.02)


@pytest.fixture
def made():
    with fake_kind() as made:
        yield made


@pytest.fixture
def path(tmp_path):
    return tmp_path / "alerts.toml"


@pytest.fixture
def world(database):
    """Give a fleet whose alarms are of now: the service has a clock of its own."""
    found = World(database)
    found.shift = int(time.time()) - alarming.BEGIN - 60
    found.clock.now = time.time()
    yield found
    found.close()


@contextmanager
def running(world, alerts, bus=None):
    """Run the service by a file, or by settings that name one."""
    settings = alerts if isinstance(alerts, config.Settings) else config.Settings(alerts=alerts)
    context = Context(settings=settings, bus=bus, database=world.database, shards=1)
    thread = threading.Thread(target=service.work, args=(context,))
    thread.start()
    try:
        yield context
    finally:
        context.stop.set()
        thread.join(WITHIN_S)
    assert not thread.is_alive()


def becomes(condition):
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return True


def put(path, text):
    """Give a file another content at once: the service reads it whenever it likes."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def begun(world):
    with world.database.read() as conn:
        return deliveries.read_position(conn)


def incident(world):
    for number in range(2):
        world.alarm(f"web.{number}", world.shift + number)
    alarming.work(world.incidents)


def test_incidents_are_told_by_a_file_that_comes_and_changes_while_the_service_runs(world, path, made):
    with running(world, path):
        assert becomes(lambda: begun(world))
        put(path, OPS)
        incident(world)
        assert becomes(lambda: made and made[0].kinds() == [("i1", "opened")])
        put(path, OPS + OPS.replace("ops", "team"))
        assert becomes(lambda: len(made) == 2 and made[1].kinds() == [("i1", "opened")])
        world.act("resolve")
        ended = [("i1", "opened"), ("i1", "resolved")]
        assert becomes(lambda: made[0].kinds() == made[1].kinds() == ended)
    assert all(target.closed for target in made)
    assert begun(world).owner == ""


def test_a_new_file_with_faults_leaves_the_one_before_in_use(world, path, made):
    put(path, OPS)
    with running(world, path):
        assert becomes(lambda: made and begun(world))
        put(path, "[targets.ops")
        incident(world)
        assert becomes(lambda: made[0].kinds() == [("i1", "opened")])


def test_with_a_file_that_cannot_be_used_from_the_beginning_incidents_wait_for_it(world, path, made):
    put(path, OPS)
    with running(world, path):
        assert becomes(lambda: made and begun(world))
    put(path, "[targets.ops")
    seq = begun(world).seq
    with running(world, path):
        incident(world)
        world.act("resolve")
        time.sleep(3 * service.POLL_INTERVAL_S)
        assert begun(world).seq == seq
        put(path, OPS)
        assert becomes(lambda: len(made) > 1 and made[-1].kinds() == [("i1", "resolved")])


def test_the_engine_tells_of_itself_by_the_limits_of_the_file(world, tmp_path, made, monkeypatch):
    for name, seconds in (("INTERVAL_S", 0.05), ("BEGIN_HOLD_S", 0.0), ("END_HOLD_S", 0.0)):
        monkeypatch.setattr(self_watch, name, seconds)
    settings = config.embedded(tmp_path / "data")
    with opened(settings) as own:
        put(settings.alerts, OPS + '[engine]\ndisk_free = "99.99%"\n')
        with running(world, settings, bus=own.bus):
            assert becomes(lambda: made and len(made[0].taken) == 1)
            put(settings.alerts, OPS + '[engine]\ndisk_free = "0.001%"\n')
            assert becomes(lambda: len(made[0].taken) == 2)
    assert [(one.rule, one.kind, one.subject) for one in made[0].taken] == [
        ("disk", "opened", "engine"),
        ("disk", "resolved", "engine"),
    ]


def test_without_a_file_nobody_is_told_and_changes_are_passed_over(world, path, made):
    with running(world, path) as context:
        assert becomes(lambda: begun(world))
        incident(world)
        assert becomes(lambda: begun(world).seq > 0)
        assert context.counters["alerts"]().get("notices") is None
    assert world.rows() == []


def test_a_target_that_wanted_nothing_any_more_is_used_again_when_its_settings_change(world, path, made):
    put(path, OPS)
    with running(world, path):
        assert becomes(lambda: made and begun(world))
        with world.database.write() as conn:
            deliveries.disable(conn, "ops", 1, "HTTP 410")
        put(path, OPS.replace("/a", "/b"))
        assert becomes(lambda: len(made) == 2)
        incident(world)
        assert becomes(lambda: made[1].kinds() == [("i1", "opened")])
