"""Every stage passes the same list of checks."""

import pytest

from htmengine import config, messages
from htmengine.htm import params
from htmengine.model_swapper import definition
from htmengine.model_swapper.checkpoint_store import CheckpointStore
from htmengine.model_swapper.scheduler import ModelScheduler
from htmengine.repository.opening import open_database
from htmengine.repository.schema import metric
from tests.support.repository import new_repository
from tests.unit.runtime.anomaly_service.scored import START, Installation, scores
from tests.unit.runtime.metric_storer.storer import Storer, at, lines
from tests.unit.runtime.stage_contract import StageContract


class StorerCase:
    def __init__(self, folder):
        self.storer = Storer(folder)
        self.messages = [
            lines(at(1), at(1, name="n"), at(2)),
            lines(at(3, 2.5), at(2, 9.0), "no line at all", at(4, name="o")),
            lines(at(5, name="n"), at(4)),
        ]

    @property
    def stage(self):
        return self.storer.stage

    def restart(self):
        self.storer.start()

    def effects(self):
        return {name: self.storer.rows(name) for name in ("m", "n", "o")}

    def close(self):
        self.storer.database.close()


class FinalScoresCase:
    def __init__(self, folder):
        self.database = new_repository(folder / "repository.sqlite", shards=1)
        self.installation = Installation(self.database)
        self.uids = [self.installation.monitored(name, 6) for name in ("m", "n")]
        m, n = self.uids
        self.messages = [
            messages.encode_model_output([output])
            for output in (
                scores(m, 1, 2),
                scores(n, 1),
                scores(m, 2, 3, 4),
                messages.ModelFailure(uid=n, generation=0, error_message="broken"),
            )
        ]

    @property
    def stage(self):
        return self.installation.stage

    def restart(self):
        self.installation.stage = self.installation.new_stage()

    def effects(self):
        return [
            (
                self.installation.status(uid),
                self.installation.state(uid).scored_rowid,
                self.installation.stored(uid),
            )
            for uid in self.uids
        ]

    def close(self):
        self.database.close()


class SchedulerCase:
    """The scheduler's effects are what it publishes: scores by row, and what became of commands."""

    def __init__(self, folder):
        self.settings = config.embedded(folder)
        self.database = new_repository(self.settings.repository.path, shards=1)
        self.checkpoint_database = open_database(config.Repository(path=folder / "checkpoints.sqlite"))
        installation = Installation(self.database)
        uids = {name: installation.monitored(name, 6) for name in ("m", "n", "o")}
        self.names = {uid: name for name, uid in uids.items()}
        with self.database.write() as conn:
            conn.execute(
                metric.update().values(model_params=definition.render(params.parameter_set("default")))
            )
        self.scores = {}
        self.results = {}
        self.scheduler = None
        self.restart()
        self.messages = [
            messages.encode_model_input([message])
            for message in (
                self.rows(uids["m"], 1, 2),
                messages.DefineModel(command_id="c", uid=uids["o"], generation=0),
                self.rows(uids["n"], 1),
                self.rows(uids["m"], 2, 3, 4),
                self.rows(uids["n"], 4),  # the rows before it are read from the repository
            )
        ]
        self.queues = self.scheduler.queues

    @staticmethod
    def rows(uid, *rowids):
        return messages.Samples(
            uids=[uid] * len(rowids),
            generations=[0] * len(rowids),
            rowids=list(rowids),
            timestamps=[START + 60 * rowid for rowid in rowids],
            values=[float(rowid) for rowid in rowids],
        )

    @property
    def stage(self):
        return self

    def process(self, deliveries):
        return self.publish(self.scheduler.process(deliveries))

    def settle(self):
        self.scheduler.settle()
        while not self.scheduler.poll_interval_s:  # as its service goes on while there is work left over
            self.publish(self.scheduler.process([]))
            self.scheduler.settle()

    def publish(self, outcome):
        for message in (one for it in outcome.publish for one in messages.decode_model_output(it.body)):
            if isinstance(message, messages.CommandResult):
                self.results[message.command_id] = message.method, message.status, self.names[message.uid]
                continue
            for uid, rowid, *columns in zip(
                message.uids,
                message.rowids,
                message.raw_anomaly_scores,
                message.anomaly_scores,
                message.log_scores,
                strict=True,
            ):
                assert self.scores.setdefault((self.names[uid], rowid), columns) == columns
        return outcome

    def restart(self):
        self.close_scheduler()
        store = CheckpointStore(self.checkpoint_database)
        store.create()
        self.scheduler = ModelScheduler(
            self.settings,
            self.database,
            store,
            shards=1,
            results_ages=lambda shards: dict.fromkeys(shards, 0.0),
        )

    def close_scheduler(self):
        if self.scheduler is not None:
            self.scheduler._writer.close()  # what was not handed over is forgotten, as in a crash

    def effects(self):
        return dict(self.scores), dict(self.results)

    def close(self):
        self.close_scheduler()
        self.database.close()
        self.checkpoint_database.close()


class _Cases(StageContract):
    kind: type

    @pytest.fixture
    def new_case(self, tmp_path):
        cases = []

        def new_case():
            folder = tmp_path / str(len(cases))
            folder.mkdir()
            cases.append(self.kind(folder))
            return cases[-1]

        yield new_case
        for case in cases:
            case.close()


class TestMetricStorer(_Cases):
    kind = StorerCase


class TestFinalScores(_Cases):
    kind = FinalScoresCase


class TestModelScheduler(_Cases):
    kind = SchedulerCase
