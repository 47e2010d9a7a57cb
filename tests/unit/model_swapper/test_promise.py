"""Every row is scored in order, and every score is bit for bit the one of an undisturbed run: whatever happens."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from htmengine.messages import decode_model_input, shard_of
from tests.support.examples import examples
from tests.unit.model_swapper.world import SHARDS, World, template

METRICS = 3


class Disturbances(RuleBasedStateMachine):
    """Deals every blow that a scheduler may get, in any order, and asks for the scores at the end."""

    repository: Path

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.sent = []
        self.copies = []
        self.bodies = []

    @initialize(budget=st.sampled_from([1, 150_000, 1 << 30]), threads=st.sampled_from([1, 2]))
    def begin(self, budget, threads):
        self.world = World(
            Path(self.folder.name),
            self.repository,
            metrics_count=METRICS,
            resident_bytes=budget,
            threads=threads,
        )

    @rule(
        metric=st.integers(0, METRICS - 1),
        count=st.integers(1, 30),
        delivered=st.sampled_from(["all", "last", "none"]),
    )
    def rows_come(self, metric, count, delivered):
        rows = [(metric, rowid) for rowid in self.world.append(metric, count)]
        self.sent += rows
        if delivered == "all":
            self.world.publish(*rows)
        elif delivered == "last":
            self.world.publish(rows[-1])
        self.bodies += [delivery.body for delivery in self.world.queue]

    @rule()
    def the_repository_is_copied(self):
        self.copies.append((self.world.copied(), list(self.sent)))

    @precondition(lambda self: self.copies)
    @rule(data=st.data())
    def the_repository_goes_back(self, data):
        copy, sent = data.draw(st.sampled_from(self.copies))
        self.sent = list(sent)
        self.world.goes_back(copy)

    @precondition(lambda self: self.bodies)
    @rule(data=st.data())
    def a_message_comes_again(self, data):
        body = data.draw(st.sampled_from(self.bodies))
        shard = shard_of(decode_model_input(body)[0].uids[0], SHARDS)
        self.world.publish_message(shard, body)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def rows_come_again(self, data):
        self.world.publish(*data.draw(st.lists(st.sampled_from(self.sent), min_size=1, max_size=5)))

    @precondition(lambda self: len(self.world.queue) > 1)
    @rule(random=st.randoms(use_true_random=False))
    def messages_change_places(self, random):
        random.shuffle(self.world.queue)

    @precondition(lambda self: self.world.queue)
    @rule()
    def a_message_is_lost(self):
        self.world.queue.popleft()

    @rule(most=st.integers(0, 3))
    def a_round(self, most):
        self.world.round(most=most)

    @rule()
    def rounds(self):
        for _ in range(5):
            self.world.round()

    @precondition(lambda self: self.world.results)
    @rule(count=st.integers(1, 4))
    def scores_are_stored(self, count):
        for _ in range(min(count, len(self.world.results))):
            self.world.store_next()

    @precondition(lambda self: self.world.results)
    @rule()
    def scores_are_lost(self):
        self.world.results.popleft()

    @rule()
    def a_sweep(self):
        self.world.sweep()

    @rule(most=st.integers(0, 3))
    def killed_between_scoring_and_publishing(self, most):
        self.world.round(most=most, published=False)
        self.world.kill()
        self.world.start()

    @rule()
    def killed_at_rest(self):
        self.world.kill()
        self.world.start()

    @rule(most=st.integers(0, 3))
    def killed_between_publishing_and_acknowledging(self, most):
        before = list(self.world.queue)[:most]
        self.world.round(most=most)
        self.world.kill()
        self.world.unacked = before
        self.world.start()

    @rule()
    def closed_and_opened(self):
        self.world.close()
        self.world.start()

    @rule()
    def stopped_before_it_could_publish(self):
        self.world.round(published=False)
        self.world.close()
        self.world.start()

    @rule()
    def another_owner_takes_over(self):
        stale = self.world.scheduler
        self.world.start()
        self.world.round()
        stale.close()

    def teardown(self):
        try:
            if hasattr(self, "world"):
                self.world.heal()
                states = self.world.states()
                for metric, uid in enumerate(self.world.uids):
                    last = states[uid].last_rowid
                    assert states[uid].scored_rowid == last
                    assert self.world.finals(metric) == self.world.expected(metric, last)
                assert not self.world.failures
        finally:
            if hasattr(self, "world"):
                self.world.dispose()
            self.folder.cleanup()


@pytest.fixture(scope="module", autouse=True)
def _repository(tmp_path_factory):
    Disturbances.repository = template(tmp_path_factory.mktemp("promise"))


class TestPromise(Disturbances.TestCase):
    settings = examples(
        20, stateful_step_count=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
    )
