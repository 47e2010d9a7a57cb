"""A metric storer with everything around it in hand, and what goes into it and comes out of it."""

from htmengine import config, messages
from htmengine.bus import Delivery
from htmengine.repository import metrics, samples
from htmengine.repository.status import MetricStatus
from htmengine.runtime.metric_storer.auto_monitor import AutoMonitor
from htmengine.runtime.metric_storer.monitor_rules import RulesFile
from htmengine.runtime.metric_storer.stage import MetricStorer
from htmengine.service.data_queues import DataQueues, KnownQueues
from tests.support.repository import new_repository

NOW = 1_700_000_000

SHARDS = 4


class Killed(BaseException):
    """The process dies here."""


class FakeModels:
    """Notes which models were to be started."""

    def __init__(self):
        self.activated = []
        self.monitored = []

    def monitorMetrics(self, specs):  # noqa: N802
        self.monitored += specs
        return [spec["metricSpec"]["uid"] for spec in specs]

    def take(self):
        """Return the uids of those that were to be started, once."""
        found, self.monitored = [spec["metricSpec"]["uid"] for spec in self.monitored], []
        return found

    def activateModel(self, metric_id):  # noqa: N802
        self.activated.append(metric_id)


class Storer:
    """A storer with its repository, and everything around it in hand."""

    data_queues = DataQueues("data")

    def __init__(self, folder, **settings):
        self._begin(new_repository(folder / "repository.sqlite", SHARDS), config.Storer(**settings))

    @classmethod
    def beside(cls, other):
        """Return another storer on the same repository."""
        storer = cls.__new__(cls)
        storer.data_queues = other.data_queues
        storer._begin(other.database, other.settings)
        return storer

    def _begin(self, database, settings):
        self.database = database
        self.settings = settings
        self.models = FakeModels()
        self.now = float(NOW)
        self.elapsed = 0.0
        self.queues = []
        self.steps = []
        self.deleted = []
        self.dies_at = None
        self.tag = 0
        self.start()

    def start(self):
        self.stage = MetricStorer(
            self.settings,
            queues=KnownQueues(lambda: self.data_queues),
            input_queue="input.{}".format,
            results_queue="results.{}".format,
            queues_now=lambda: self.queues,
            delete_queue=self.deleted.append,
            database=self.database,
            shards=SHARDS,
            models=self.models,
            automatic=AutoMonitor(
                RulesFile(self.settings.rules, "metric_storer"), self.database, lambda model: self.models
            ),
            clock=lambda: self.now,
            timer=lambda: self.elapsed,
            step=self.step,
        )

    def begin_model(self, uid):
        """Let a metric have a model that was asked for."""
        with self.database.write() as conn:
            metrics.start_model(conn, uid, parameters="{}", model_params="{}", status=MetricStatus.ACTIVE)

    def count_models(self):
        with self.database.read() as conn:
            return sum(state.status != MetricStatus.UNMONITORED for state in metrics.custom(conn))

    def time_passes(self, seconds):
        self.now += seconds
        self.elapsed += seconds

    def step(self, name):
        self.steps.append(name)
        if name == self.dies_at:
            raise Killed

    def deliver(self, *bodies, deliveries=1):
        for body in bodies:
            self.tag += 1
            yield Delivery("data", body, {}, deliveries, 1, self.tag)

    def process(self, *bodies, deliveries=1):
        return self.stage.process(list(self.deliver(*bodies, deliveries=deliveries)))

    def state(self, name):
        with self.database.read() as conn:
            return metrics.states_by_name(conn, [name]).get(name)

    def rows(self, name):
        state = self.state(name)
        if state is None:
            return []
        with self.database.read() as conn:
            rows = samples.read(conn, state.uid, 0, 1 << 30, 1 << 30)
        assert rows.rowids == list(range(1, len(rows.rowids) + 1))
        assert state.last_rowid == len(rows.rowids)
        return list(zip(rows.timestamps, rows.values, strict=True))

    def monitor(self, name, status=MetricStatus.ACTIVE):
        with self.database.write() as conn:
            uid = metrics.create_custom(conn, [name])[name]
            metrics.start_model(conn, uid, parameters="{}", model_params="{}", status=status)
        return uid


def lines(*texts, **options):
    return messages.encode_json(messages.MetricLines(protocol="plain", data=list(texts), **options))


def at(second, value=1.0, name="m"):
    return f"{name} {value} {NOW - 100_000 + second}"


def fed(outcome):
    """Return the rows that go to models: (uid, rowid, timestamp, value)."""
    rows = []
    for queue, body, *_ in outcome.best_effort:
        for message in messages.decode_model_input(body):
            if isinstance(message, messages.Samples):
                for uid, rowid, timestamp, value in zip(
                    message.uids, message.rowids, message.timestamps, message.values, strict=True
                ):
                    assert queue == f"input.{messages.shard_of(uid, SHARDS)}"
                    rows.append((uid, rowid, timestamp, value))
    return rows


def with_rules(folder, text):
    path = folder / "monitor-rules.conf"
    path.write_text(text)
    return path
