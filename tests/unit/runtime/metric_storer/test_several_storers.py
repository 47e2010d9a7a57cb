"""Several storers share the queues; one that takes a queue over goes on where the other ended."""

import pytest

from htmengine.bus import Delivery
from htmengine.messages import decode_metric_lines
from htmengine.runtime.metric_storer import lane
from htmengine.runtime.metric_storer.backfill import TIMEOUT_S
from htmengine.runtime.metric_storer.gathering import CLOSINGS
from htmengine.service.data_queues import DataQueues
from tests.unit.runtime.metric_storer.storer import NOW, Storer, at, lines, with_rules

QUEUES = DataQueues("data", ("data.0", "data.1"))
ONE = "m"
OTHER = next(f"n{number}" for number in range(9) if QUEUES.of_name(f"n{number}") != QUEUES.of_name(ONE))


class Two:
    """Two storers on one repository."""

    def __init__(self, folder, **settings):
        self.one = Storer(folder, **settings)
        self.one.data_queues = QUEUES
        self.one.start()
        self.other = Storer.beside(self.one)

    def give(self, storer, name, *bodies, epoch=1):
        queue = QUEUES.of_name(name)
        return storer.stage.process([Delivery(queue, body, {}, 1, epoch, 0) for body in bodies])

    def time_passes(self, seconds):
        self.one.time_passes(seconds)
        self.other.time_passes(seconds)

    def seconds(self, name):
        return [timestamp - (NOW - 100_000) for timestamp, _ in self.one.rows(name)]


@pytest.fixture
def two(tmp_path):
    return Two(tmp_path)


def test_each_stores_what_is_in_its_queues(two):
    two.give(two.one, ONE, lines(at(1, name=ONE)))
    two.give(two.other, OTHER, lines(at(2, name=OTHER)))
    two.give(two.one, ONE, lines(at(3, name=ONE)))
    assert (two.seconds(ONE), two.seconds(OTHER)) == ([1, 3], [2])


def test_who_takes_over_knows_which_new_names_wait(two, monkeypatch):
    monkeypatch.setattr(lane, "AT_ONCE", 1)
    same = [
        name for name in (f"k{number}" for number in range(30)) if QUEUES.of_name(name) == QUEUES.of_name(ONE)
    ]
    two.give(two.one, ONE, lines(*[at(1, name=name) for name in same[:4]]))
    waiting = [name for name in same[:4] if not two.one.state(name)]
    assert waiting
    two.give(two.other, ONE, lines(*[at(2, name=name) for name in waiting]), epoch=2)
    for _ in range(9):
        two.other.process()
        two.one.process()
    assert all(two.seconds(name) == [1, 2] for name in waiting)


def test_names_whose_storer_is_gone_are_created_by_another(two, monkeypatch):
    monkeypatch.setattr(lane, "AT_ONCE", 1)
    same = [
        name for name in (f"k{number}" for number in range(30)) if QUEUES.of_name(name) == QUEUES.of_name(ONE)
    ]
    two.give(two.one, ONE, lines(*[at(1, name=name) for name in same[:4]]))
    two.give(two.other, OTHER, lines(at(1, name=OTHER)))
    for _ in range(9):
        two.time_passes(10)
        two.other.process()
    assert all(two.seconds(name) == [1] for name in same[:4])


def test_a_storer_that_does_not_work_on_a_backfill_does_not_end_it(two):
    history = {"metric": ONE, "token": "t"}
    two.give(two.other, OTHER, lines(at(1, name=OTHER)))
    for second in range(1, 9):
        two.give(two.one, ONE, lines(at(second, name=ONE), backfill=history))
        two.time_passes(TIMEOUT_S / 3)
        assert not ends_of(two.other.process())
    two.time_passes(TIMEOUT_S)
    assert ends_of(two.other.process()) == [(QUEUES.of_name(ONE), ONE)]


def ends_of(outcome):
    found = [
        (queue, decode_metric_lines(body)) for queue, body, *_ in outcome.best_effort if queue in QUEUES.parts
    ]
    return [
        (queue, message.backfill.metric)
        for queue, message in found
        if message.backfill and message.backfill.done
    ]


def test_intervals_are_closed_in_the_queue_of_their_metric(tmp_path):
    rules = with_rules(tmp_path, "[all]\npattern = *\naggregation = mean\ninterval = 1m\n")
    two = Two(tmp_path, rules=rules)
    two.give(two.one, ONE, lines(at(1, name=ONE)))
    two.give(two.other, OTHER, lines(at(1, name=OTHER)))
    closed = set()
    for _ in range(20):
        two.time_passes(10)
        for queue, body, *_ in two.one.process().best_effort:
            if queue in QUEUES.parts:
                message = decode_metric_lines(body)
                assert message.protocol == CLOSINGS
                closed |= {(queue, line.split()[0]) for line in message.data}
    assert (QUEUES.of_name(ONE), ONE) in closed
    assert all(queue == QUEUES.of_name(name) for queue, name in closed)


def test_a_limit_of_new_metrics_is_shared(tmp_path):
    two = Two(tmp_path, new_series_per_minute=10)
    names = [f"k{number}" for number in range(200)]
    for storer, queue in ((two.one, QUEUES.parts[0]), (two.other, QUEUES.parts[1])):
        own = [name for name in names if QUEUES.of_name(name) == queue]
        two.give(storer, own[0], lines(*[at(1, name=name) for name in own]))
    assert sum(two.one.state(name) is not None for name in names) == 10


def test_a_limit_of_models_counts_those_of_the_other(tmp_path):
    rules = with_rules(tmp_path, "[all]\npattern = *\naction = monitor\nlimit = 6\n")
    two = Two(tmp_path, rules=rules)
    for turn in range(8):
        for storer, part in ((two.one, 0), (two.other, 1)):
            name = next(
                name
                for name in (f"t{turn}.{number}" for number in range(99))
                if QUEUES.of_name(name) == QUEUES.parts[part]
            )
            two.give(storer, name, lines(at(1, name=name)))
            for uid in storer.models.take():
                storer.begin_model(uid)
        two.time_passes(10)
        two.one.process()
        two.other.process()
    assert two.one.count_models() == 6
