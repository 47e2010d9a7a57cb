"""Every stage passes the same list of checks."""

import pytest

from htmengine import config, messages
from htmengine.repository import migrations
from htmengine.repository.engine import open_engine
from tests.unit.runtime.stage_contract import StageContract
from tests.unit.runtime.test_final_scores import Installation, scores
from tests.unit.runtime.test_metric_storer import Storer, at, lines


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
        self.storer.engine.dispose()


class FinalScoresCase:
    def __init__(self, folder):
        self.engine = open_engine(config.Repository(path=folder / "repository.sqlite"))
        migrations.upgrade(self.engine, 1)
        self.installation = Installation(self.engine)
        self.uids = [self.installation.monitored(name, 6) for name in ("m", "n")]
        m, n = self.uids
        self.messages = [
            messages.encode_model_output(output)
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
        self.engine.dispose()


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
