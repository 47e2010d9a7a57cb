import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from htmengine.bus import Fanout
from htmengine.bus.embedded.bus import EmbeddedBus
from htmengine.cli import results
from htmengine.messages import BatchRow, ResultsBatch, Why, encode_json


def row(log_score, name="cpu.load"):
    return results.Row(name, 1, 1_700_000_000, 0.42, 0.999, log_score)


def test_an_anomalous_row_is_marked_and_red_only_where_there_are_colours():
    assert results.text_of(row(0.6)).endswith("cpu.load  <-- anomaly")
    assert results.text_of(row(0.1)).startswith("2023-11-14 22:13:20")
    assert results.style_of(row(0.6)) == {"fg": "red", "bold": True}
    assert results.style_of(row(0.45)) == {"fg": "yellow"}
    assert results.style_of(row(0.1)) == {}


def test_an_anomalous_row_says_why_if_that_is_known():
    why = Why(
        cause="error",
        channel="deviation",
        forecast=0.1,
        usual=(0.05, 0.15),
        foreseen=[],
        alarms_before=0,
        last_alarm=None,
    )
    text = results.text_of(row(0.6)._replace(why=why))
    assert text.endswith("  <-- anomaly: 0.42 is far above the forecast of 0.1 (usual 0.05 to 0.15)")


class Timer:
    """A timer that stands still until it is moved."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def rows(count, log_score=0.1, first=0):
    return [row(log_score, name=f"m{number}") for number in range(first, first + count)]


def test_the_rows_of_a_few_metrics_are_all_shown():
    calm = results.Calm(Timer())
    assert len(calm.chosen(rows(12))) == 12
    assert calm.summary() is None


def test_of_a_thousand_metrics_only_what_is_unusual_is_shown_the_strongest_first():
    timer = Timer()
    calm = results.Calm(timer)
    unusual = [row(0.45, name="near"), row(0.9, name="odd")]
    assert [one.name for one in calm.chosen([*rows(998), *unusual])] == ["odd", "near"]
    timer.now = 5.0
    assert calm.summary() is None
    timer.now = 10.0
    assert calm.summary() == (
        "1,000 results of 1,000 metrics in 10 s, 998 not shown, the highest of them 0.100: m0"
    )
    timer.now = 20.0
    assert calm.summary() is None


def test_a_storm_of_anomalies_is_shown_in_part():
    timer = Timer()
    calm = results.Calm(timer)
    shown = calm.chosen([*rows(500, 0.6), *rows(1, 0.9, first=500)])
    assert len(shown) == results.ROWS_A_SECOND
    assert shown[0].name == "m500"
    assert calm.chosen(rows(5, 0.6)) == []
    timer.now = 1.0
    assert len(calm.chosen(rows(5, 0.6))) == 5
    timer.now = 10.0
    assert "486 not shown, the highest of them 0.600" in calm.summary()


@pytest.fixture
def bus(tmp_path):
    bus = EmbeddedBus(tmp_path / "bus.sqlite")
    bus.declare_exchange("results.batches")
    yield bus
    bus.close()


def batch(*names, rowid=1):
    rows = [
        BatchRow(
            uid=name,
            name=name,
            rowid=rowid,
            ts=1,
            value=1.0,
            raw_anomaly=0.0,
            anomaly=0.1,
            log_score=0.2,
            sequence_score=0.0,
            novelty_score=0.0,
        )
        for name in names
    ]
    return Fanout("results.batches", encode_json(ResultsBatch(rows=rows)))


@contextmanager
def published_to_whoever_listens(bus, *batches):
    """Publish as soon as somebody listens."""

    def publish():
        while not bus.has_subscribers("results.batches"):
            time.sleep(0.01)
        bus.publish(batches)

    thread = threading.Thread(target=publish)
    thread.start()
    yield
    thread.join()


def test_a_follower_sees_what_is_published_and_leaves_no_queue_behind(bus):
    stop = threading.Event()
    arriving = results.arriving(bus, "results.batches", stop)
    seen = []
    with published_to_whoever_listens(bus, batch("a", "b"), batch("c")):
        for rows in arriving:
            seen += [row.name for row in rows]
            if len(seen) == 3:
                stop.set()
    assert seen == ["a", "b", "c"]
    assert bus.status() == []


def test_a_message_that_is_no_batch_costs_its_neighbours_nothing(bus):
    stop = threading.Event()
    with published_to_whoever_listens(bus, Fanout("results.batches", b"not json"), batch("a")):
        for rows in results.arriving(bus, "results.batches", stop):
            if rows:
                assert [row.name for row in rows] == ["a"]
                stop.set()
    assert [letter.body for letter in bus.dead_letters()] == [b"not json"]


class EnoughError(Exception):
    pass


def followed(bus, monkeypatch, stored, *came):
    """Return what a follower shows of stored rows, and of batches that are published while it reads these."""
    settings = SimpleNamespace(batches_exchange="results.batches", results_shard_queue=str)
    shown = []

    def read(context, wanted, **_options):
        bus.publish([*came, batch("last")])
        return [results.Row(name, rowid, 0, 0.0, 0.0, 0.0) for name, rowid in stored]

    def show(rows):
        shown.extend((row.name, row.rowid) for row in rows)
        if ("last", 1) in shown:
            raise EnoughError

    monkeypatch.setattr(results, "_stored", read)
    monkeypatch.setattr(results, "printer", lambda json: show)
    with pytest.raises(EnoughError):
        results.follow(
            SimpleNamespace(bus=bus, settings=settings, shards=1),
            results.Wanted(),
            min_score=0.0,
            limit=20,
            json=True,
        )
    return shown[:-1]


def test_what_comes_while_stored_results_are_shown_is_neither_missed_nor_shown_twice(bus, monkeypatch):
    shown = followed(bus, monkeypatch, [("calm", 7), ("stored", 1)], batch("stored", "meanwhile"))
    assert shown == [("calm", 7), ("stored", 1), ("meanwhile", 1)]


def test_what_comes_while_stored_results_are_shown_stays_in_its_order(bus, monkeypatch):
    came = [batch("m", rowid=rowid) for rowid in (2, 3, 4)]
    shown = followed(bus, monkeypatch, [("m", 1), ("m", 3), ("m", 4)], *came)
    assert shown == [("m", 1), ("m", 2), ("m", 3), ("m", 4)]
