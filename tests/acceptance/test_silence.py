"""A sender that stops and goes on, before a whole engine."""

import os
import signal
import threading
import time

import pytest

from htmengine import config
from htmengine.repository import migrations
from htmengine.repository.opening import open_database
from htmengine.service.fault_injection import KILL_VARIABLE
from tests.acceptance.engine import Folder, python, wait_until

pytestmark = pytest.mark.acceptance

RULES = """
[soon]
pattern = web.*
action = monitor
silence = 15s

[never]
pattern = batch.*
action = monitor
silence = off
"""
NAMES = ["web.a.cpu", "web.a.load", "web.b.cpu", "batch.rows"]


class Sender:
    """Sends a sample of each metric every second, but for those that are stopped."""

    def __init__(self, engine):
        self.engine = engine
        self.stopped = set()
        self.last = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def _work(self):
        while not self._end.wait(1.0):
            now = int(time.time())
            names = [name for name in NAMES if name not in self.stopped]
            self.engine.send([f"{name} {now % 7} {now}" for name in names])
            self.last |= dict.fromkeys(names, now)


def silent(engine):
    """Return the timestamps of the last samples of the metrics that are silent."""
    query = "SELECT m.name, s.since FROM metric_silence s JOIN metric m USING (uid) WHERE s.until IS NULL"
    return dict(engine.select(query))


def incidents(engine):
    """Return of each incident whether it is open, and how many metrics it has."""
    return engine.select("SELECT resolved IS NULL, metrics FROM incident")


def test_metrics_whose_sender_stops_are_silent_in_one_incident_until_it_goes_on(tmp_path):
    engine = Folder(tmp_path / "data")
    (engine.path / "monitor-rules.conf").write_text(RULES)
    with engine.up(), Sender(engine) as sender:
        for name in NAMES:
            engine.wait_for_scores(name, 4)
        sender.stopped = {"web.a.cpu", "web.a.load", "batch.rows"}
        wait_until(lambda: len(silent(engine)) == 2, "two silent metrics")
        assert silent(engine) == {name: sender.last[name] for name in ("web.a.cpu", "web.a.load")}
        wait_until(lambda: incidents(engine) == [(1, 2)], lambda: str(incidents(engine)))
        (finding,) = engine.json("doctor", "web.a.cpu", "--json", code=1)["metrics"]
        assert "it is silent" in finding["why"]
        assert engine.metric("web.a.cpu")["silentSince"] == sender.last["web.a.cpu"]
        (incident,) = engine.cli("incidents", "--json").splitlines()
        assert "2 metrics of web.a fell silent" in incident
        sender.stopped = set()
        wait_until(lambda: not silent(engine), "no silent metric")
        wait_until(lambda: incidents(engine) == [(0, 2)], lambda: str(incidents(engine)))
        engine.settles()
        assert engine.select("SELECT count(*) FROM metric_silence") == [(2,)]


@pytest.mark.slow
def test_time_in_which_the_engine_was_down_is_no_silence(tmp_path):
    engine = Folder(tmp_path / "data")
    (engine.path / "monitor-rules.conf").write_text(RULES)
    with engine.up(), Sender(engine):
        wait_until(lambda: engine.select("SELECT count(*) FROM metric_rhythm") == [(4,)], "rhythms")
    time.sleep(20)  # longer than the rule allows
    with engine.up(), Sender(engine):
        engine.wait_for_rows(NAMES[0], engine.metric(NAMES[0])["samples"] + 10)
        assert engine.select("SELECT count(*) FROM metric_silence") == [(0,)]


@pytest.mark.slow
def test_a_service_that_is_killed_before_or_behind_its_commit_goes_on(tmp_path):
    engine = Folder(tmp_path / "data")
    database = open_database(config.Repository(path=engine.path / "repository.sqlite"))
    migrations.upgrade(database, shards=1)
    database.close()
    for kill_at, beats in (("silence.stored:1", []), ("silence.committed:1", [(1,)])):
        process = python(
            "-m", "htmengine.silence", "--data", engine.path, env=os.environ | {KILL_VARIABLE: kill_at}
        )
        assert process.wait() == -signal.SIGKILL
        process.communicate()
        assert engine.select("SELECT beat FROM silence_writer") == beats
    process = python("-m", "htmengine.silence", "--data", engine.path)
    wait_until(lambda: engine.select("SELECT beat > 1 FROM silence_writer") == [(1,)], "another takes over")
    process.terminate()
    assert process.wait() == 0
    process.communicate()
    assert engine.select("SELECT owner FROM silence_writer") == [("",)]
