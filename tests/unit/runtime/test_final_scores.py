import json
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, select, update

from htmengine import config, htmengineerrno, messages
from htmengine.bus import Delivery
from htmengine.messages import CommandResult, ModelFailure, Scores, Why
from htmengine.repository import metrics, migrations, samples, schema
from htmengine.repository import scores as repository_scores
from htmengine.repository.engine import open_engine, reading, writing
from htmengine.repository.errors import RepositoryUnavailable
from htmengine.repository.status import MetricStatus
from htmengine.runtime import final_scores
from htmengine.runtime.anomaly_service import AnomalyService
from htmengine.runtime.final_scores import FinalScores
from tests.support.concurrency import write_first

START = 1_386_201_600
SPEC = {"datasource": "custom", "metricSpec": {"metric": "m", "userInfo": {"team": 7}}}


@dataclass
class Subscribers:
    """A bus as far as the stage knows it."""

    exchanges: set[str] = field(default_factory=set)

    def has_subscribers(self, exchange: str) -> bool:
        return exchange in self.exchanges


class Installation:
    """A repository, and what is published."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.settings = config.Settings()
        self.subscribers = Subscribers({self.settings.results_exchange, self.settings.batches_exchange})
        self.steps: list[str] = []
        self.stage = self.new_stage()
        self.tag = 0

    def new_stage(self) -> FinalScores:
        return FinalScores(self.engine, self.subscribers, self.settings, shards=1, step=self.steps.append)

    def monitored(self, name: str, rows: int, *, status: int = MetricStatus.ACTIVE) -> str:
        with writing(self.engine) as conn:
            uid = metrics.create_custom(conn, [name])[name]
            metrics.start_model(
                conn, uid, parameters=json.dumps(SPEC), model_params="{}", status=status, server="web"
            )
            samples.append(
                conn,
                [uid] * rows,
                range(1, rows + 1),
                [START + 60 * row for row in range(1, rows + 1)],
                [float(row) for row in range(1, rows + 1)],
            )
            samples.advance_last(conn, [(uid, 0, rows, START + 60 * rows)])
        return uid

    def state(self, uid: str) -> metrics.MetricState:
        with reading(self.engine) as conn:
            return metrics.states(conn, [uid])[uid]

    def status(self, uid: str) -> tuple[int, str | None]:
        with reading(self.engine) as conn:
            row = conn.execute(
                select(schema.metric.c.status, schema.metric.c.message).where(schema.metric.c.uid == uid)
            ).one()
        return row.status, row.message

    def stored(self, uid: str) -> list[repository_scores.ScoredSample]:
        with reading(self.engine) as conn:
            return repository_scores.stored(conn, uid, 1, 10_000)

    def give(self, *received: messages.ModelOutput, deliveries: int = 1) -> "Published":
        return self.give_bodies(*map(messages.encode_model_output, received), deliveries=deliveries)

    def give_bodies(self, *bodies: bytes, deliveries: int = 1) -> "Published":
        batch = []
        for body in bodies:
            self.tag += 1
            batch.append(Delivery(self.stage.queues[0], body, {}, deliveries, 1, self.tag))
        outcome = self.stage.process(batch)
        found = Published(dead=[reason for _, reason in outcome.dead_letters])
        for message in outcome.publish:
            if message.exchange == self.settings.batches_exchange:
                found.batches.append(messages.decode_results_batch(message.body))
            elif message.headers.get("dataType") == "model-cmd-result":
                found.commands.append(AnomalyService.deserializeModelResult(message.body))
            else:
                assert not message.headers
                found.results.append(AnomalyService.deserializeModelResult(message.body))
        return found


@dataclass
class Published:
    results: list[dict] = field(default_factory=list)
    commands: list[dict] = field(default_factory=list)
    batches: list[messages.ResultsBatch] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)

    def rowids(self) -> list[tuple[str, int]]:
        return [
            (result["metric"]["uid"], row["rowid"]) for result in self.results for row in result["results"]
        ]

    def batch_rowids(self) -> list[tuple[str, int]]:
        return [(row.uid, row.rowid) for batch in self.batches for row in batch.rows]


def scores(uid: str, *rowids: int, generation: int = 0, predictions: bool = False) -> Scores:
    """Scores that tell from which row they are."""

    def column(part: float) -> list[float]:
        return [part + rowid / 1024 for rowid in rowids]  # sums without rounding

    return Scores(
        uids=[uid] * len(rowids),
        generations=[generation] * len(rowids),
        rowids=list(rowids),
        timestamps=[START + 60 * rowid for rowid in rowids],
        values=[float(rowid) for rowid in rowids],
        raw_anomaly_scores=column(0.125),
        anomaly_scores=column(0.25),
        log_scores=column(0.375),
        sequence_scores=column(0.5),
        novelty_scores=column(0.625),
        predictions=[{"1": rowid + 0.5} for rowid in rowids] if predictions else None,
    )


def defined(uid: str, *, status: int = 0, generation: int = 0, error: str | None = None) -> CommandResult:
    return CommandResult(
        command_id="c1",
        method="defineModel",
        uid=uid,
        generation=generation,
        status=status,
        error_message=error,
    )


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory):
    path: Path = tmp_path_factory.mktemp("repository") / "repository.sqlite"
    engine = open_engine(config.Repository(path=path))
    migrations.upgrade(engine, 1)
    yield engine
    engine.dispose()


@pytest.fixture
def at(engine: Engine) -> Installation:
    with writing(engine) as conn:
        conn.execute(delete(schema.metric))
    return Installation(engine)


def test_a_score_is_stored_with_display_value_and_predictions_and_moves_the_watermark(at):
    uid = at.monitored("m", 2)
    at.give(scores(uid, 1, 2, predictions=True))
    with reading(at.engine) as conn:
        rows = conn.execute(select(schema.metric_data).order_by(schema.metric_data.c.rowid)).all()
    assert [
        (row.raw_anomaly_score, row.anomaly_score, row.log_score, row.sequence_score, row.novelty_score)
        for row in rows
    ] == [
        (0.125 + 1 / 1024, 0.25 + 1 / 1024, 0.375 + 1 / 1024, 0.5 + 1 / 1024, 0.625 + 1 / 1024),
        (0.125 + 2 / 1024, 0.25 + 2 / 1024, 0.375 + 2 / 1024, 0.5 + 2 / 1024, 0.625 + 2 / 1024),
    ]
    assert [row.display_value for row in rows] == [1000, 1000]
    assert [row.multi_step_best_predictions for row in rows] == ['{"1":1.5}', '{"1":2.5}']
    assert at.state(uid).scored_rowid == 2
    assert at.steps == ["anomaly_service.committed"]


def test_the_documented_message_says_everything_of_metric_and_rows(at):
    uid = at.monitored("m", 2)
    published = at.give(scores(uid, 1, predictions=True), scores(uid, 2))
    assert published.results == [
        {
            "metric": {
                "uid": uid,
                "name": "m",
                "description": "Custom metric m",
                "resource": "web",
                "location": "",
                "datasource": "custom",
                "spec": SPEC["metricSpec"],
            },
            "results": [
                {
                    "rowid": 1,
                    "ts": START + 60,
                    "value": 1.0,
                    "rawAnomaly": 0.125 + 1 / 1024,
                    "anomaly": 0.25 + 1 / 1024,
                    "multiStepBestPredictions": {"1": 1.5},
                },
                {
                    "rowid": 2,
                    "ts": START + 120,
                    "value": 2.0,
                    "rawAnomaly": 0.125 + 2 / 1024,
                    "anomaly": 0.25 + 2 / 1024,
                    "multiStepBestPredictions": None,
                },
            ],
        }
    ]


def test_a_batch_carries_all_metrics_in_one_message_with_every_score(at):
    first, second = at.monitored("a", 1), at.monitored("b", 1)
    published = at.give(scores(first, 1), scores(second, 1))
    assert published.batch_rowids() == [(first, 1), (second, 1)]
    row = published.batches[0].rows[1]
    assert (row.name, row.log_score, row.sequence_score, row.novelty_score) == (
        "b",
        0.375 + 1 / 1024,
        0.5 + 1 / 1024,
        0.625 + 1 / 1024,
    )


def test_a_batch_says_why_of_those_that_alarm_when_it_is_published_first(at):
    why = Why(
        cause="error",
        channel="deviation",
        forecast=1.5,
        usual=(1.0, 2.0),
        foreseen=[(0.5, 2.5)],
        alarms_before=3,
        last_alarm=None,
    )
    first, second = at.monitored("a", 1), at.monitored("b", 2)
    alarming = Scores(**{**_fields(scores(second, 1, 2)), "why": [None, why]})
    published = at.give(scores(first, 1), alarming)
    assert [row.why for row in published.batches[0].rows] == [msgspec.UNSET, msgspec.UNSET, why]
    assert "why" not in published.results[1]["results"][1]
    again = at.give(alarming, deliveries=2)
    assert [row.why for row in again.batches[0].rows] == [msgspec.UNSET, msgspec.UNSET]


def test_without_subscribers_scores_are_stored_and_nothing_is_published(at):
    uid = at.monitored("m", 1)
    at.subscribers.exchanges.clear()
    published = at.give(scores(uid, 1), defined(uid))
    assert published == Published()
    assert at.state(uid).scored_rowid == 1


def test_scores_beyond_a_gap_are_left_to_the_sweep(at):
    uid = at.monitored("m", 5)
    assert at.give(scores(uid, 1, 3, 4)).rowids() == [(uid, 1)]
    assert at.state(uid).scored_rowid == 1
    assert at.give(scores(uid, 2, 3, 4, 5)).rowids() == [(uid, row) for row in (2, 3, 4, 5)]


def test_a_row_that_comes_twice_keeps_its_first_score_and_is_published_once(at):
    uid = at.monitored("m", 2)
    other = Scores(**{**_fields(scores(uid, 1)), "anomaly_scores": [0.9]})
    assert at.give(scores(uid, 1), other).rowids() == [(uid, 1)]
    assert at.give(other).rowids() == []
    assert [row.anomaly_score for row in at.stored(uid)] == [0.25 + 1 / 1024]


def test_a_redelivered_batch_is_published_again_from_its_rows(at):
    uid = at.monitored("m", 4)
    at.give(scores(uid, 1, 2, predictions=True))
    published = at.give(scores(uid, 1, 2, 3), deliveries=2)
    assert published.rowids() == [(uid, 1), (uid, 2), (uid, 3)]
    assert published.batch_rowids() == published.rowids()
    assert published.results[0]["results"][0]["multiStepBestPredictions"] == {"1": 1.5}
    assert at.state(uid).scored_rowid == 3


def test_what_an_attempt_in_doubt_had_committed_is_published_by_the_next(at, monkeypatch):
    uid = at.monitored("m", 1)
    # A commit whose answer is lost, as on a server: stored, but we were told of an error.
    real = FinalScores._committed

    def committed_unheard(self, *arguments):
        real(self, *arguments)
        monkeypatch.setattr(FinalScores, "_committed", real)
        raise RepositoryUnavailable("the connection broke while it committed", hint="")

    monkeypatch.setattr(FinalScores, "_committed", committed_unheard)
    with pytest.raises(RepositoryUnavailable):
        at.give(scores(uid, 1))
    assert at.give(scores(uid, 1)).rowids() == [(uid, 1)]
    assert at.give(scores(uid, 1)).rowids() == []


@pytest.mark.parametrize("foreign", ["unknown", "generation", "unmonitored", "failed", "no such row"])
def test_scores_of_nobody_change_nothing_and_cost_no_neighbour(at, foreign):
    uid, neighbour = at.monitored("m", 2), at.monitored("n", 1)
    sent = scores("0" * 32 if foreign == "unknown" else uid, 1, generation=int(foreign == "generation"))
    with writing(at.engine) as conn:
        if foreign == "unmonitored":
            metrics.end_model(conn, uid)
        elif foreign == "failed":
            metrics.set_status(conn, uid, MetricStatus.ERROR)
        elif foreign == "no such row":
            conn.execute(update(schema.metric).where(schema.metric.c.uid == uid).values(last_rowid=0))
    for deliveries in (1, 2):
        published = at.give(sent, scores(neighbour, 1), deliveries=deliveries)
        assert published.rowids() == [(neighbour, 1)]
    assert at.stored(uid) == []


def test_a_body_that_cannot_be_decoded_dies_alone(at):
    uid = at.monitored("m", 1)
    published = at.give_bodies(b"\xc1", messages.encode_model_output(scores(uid, 1)))
    assert published.rowids() == [(uid, 1)]
    assert len(published.dead) == 1
    assert at.give_bodies(b"").dead


def test_scores_are_taken_while_the_definition_is_not_confirmed(at):
    uid = at.monitored("m", 1, status=MetricStatus.CREATE_PENDING)
    assert at.give(scores(uid, 1)).rowids() == [(uid, 1)]


def test_rows_that_are_missing_roll_the_watermark_back_and_end_the_service_loudly(at):
    uid = at.monitored("m", 2)
    with writing(at.engine) as conn:
        conn.execute(delete(schema.metric_data).where(schema.metric_data.c.rowid == 2))
    with pytest.raises(RuntimeError, match="htmengine verify"):
        at.give(scores(uid, 1, 2))
    assert at.state(uid).scored_rowid == 0
    assert at.stored(uid) == []


def test_a_second_owner_is_fenced_off_and_the_batch_read_again(at, monkeypatch):
    uid = at.monitored("m", 2)
    real = repository_scores.advance_watermarks
    calls = []

    def overtaken_once(conn, advances):
        calls.append(list(advances))
        return real(conn, advances) if len(calls) > 1 else 0

    monkeypatch.setattr(repository_scores, "advance_watermarks", overtaken_once)
    assert at.give(scores(uid, 1)).rowids() == [(uid, 1)]
    assert len(calls) == 2


def test_a_model_that_ends_before_our_turn_to_write_gets_no_scores(at, monkeypatch):
    uid = at.monitored("m", 2)
    ended = []
    write_first(monkeypatch, final_scores, lambda conn: ended.append(metrics.end_model(conn, uid)))
    assert at.give(scores(uid, 1)).rowids() == []
    assert ended
    assert at.stored(uid) == []


# -- Commands and failures.


def test_a_defined_model_becomes_active_and_its_message_describes_it(at):
    uid = at.monitored("m", 0, status=MetricStatus.CREATE_PENDING)
    assert at.give(defined(uid)).commands == [
        {
            "method": "defineModel",
            "modelId": uid,
            "commandId": "c1",
            "status": htmengineerrno.SUCCESS,
            "errorMessage": None,
            "modelInfo": {"metricName": "m", "resource": "web", "modelSpec": SPEC},
        }
    ]
    assert at.status(uid) == (MetricStatus.ACTIVE, None)


@pytest.mark.parametrize("status", [MetricStatus.ACTIVE, MetricStatus.ERROR])
def test_a_second_definition_leaves_the_status_alone(at, status):
    uid = at.monitored("m", 0, status=status)
    assert len(at.give(defined(uid)).commands) == 1
    assert at.status(uid)[0] == status


def test_a_definition_that_failed_makes_an_error_with_its_message(at):
    uid = at.monitored("m", 0, status=MetricStatus.CREATE_PENDING)
    (command,) = at.give(defined(uid, status=htmengineerrno.ERR, error="no memory")).commands
    assert (command["status"], command["errorMessage"]) == (htmengineerrno.ERR, "no memory")
    assert "modelInfo" not in command
    assert at.status(uid) == (MetricStatus.ERROR, "no memory")
    at.give(defined(uid, status=htmengineerrno.ERR, error="another"))
    assert at.status(uid) == (MetricStatus.ERROR, "no memory")


def test_a_definition_of_a_metric_that_was_unmonitored_says_nothing_and_changes_nothing(at):
    uid = at.monitored("m", 0, status=MetricStatus.CREATE_PENDING)
    with writing(at.engine) as conn:
        metrics.end_model(conn, uid)
    assert at.give(defined(uid), defined("0" * 32)).commands == []
    assert at.give(defined(uid, status=htmengineerrno.ERR, error="late")).commands == []
    assert at.status(uid) == (MetricStatus.UNMONITORED, None)


def test_a_deletion_is_published_without_model_and_changes_nothing(at):
    uid = at.monitored("m", 0)
    deleted = CommandResult(command_id="c2", method="deleteModel", uid=uid, generation=0, status=0)
    assert at.give(deleted).commands == [
        {"method": "deleteModel", "modelId": uid, "commandId": "c2", "status": 0, "errorMessage": None}
    ]
    assert at.status(uid)[0] == MetricStatus.ACTIVE


def test_a_copy_is_not_published_and_its_failure_is_not_its_sources(at):
    uid = at.monitored("m", 0)
    for status in (htmengineerrno.SUCCESS, htmengineerrno.ERR_NO_SUCH_MODEL):
        copied = CommandResult(command_id="c", method="cloneModel", uid=uid, generation=0, status=status)
        assert at.give(copied) == Published()
    assert at.status(uid)[0] == MetricStatus.ACTIVE


def test_a_model_that_fails_makes_an_error_behind_the_scores_that_came_with_it(at):
    uid = at.monitored("m", 2)
    failure = ModelFailure(uid=uid, generation=0, error_message="its block is damaged")
    assert at.give(scores(uid, 1), failure).rowids() == [(uid, 1)]
    assert at.status(uid) == (MetricStatus.ERROR, "its block is damaged")
    at.give(ModelFailure(uid=uid, generation=1, error_message="of another generation"))
    assert at.status(uid) == (MetricStatus.ERROR, "its block is damaged")


# -- Whatever the queue does.

ROWS = 6
METRICS = 2


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_lost_doubled_or_out_of_order_each_row_gets_one_score_in_order_and_is_published(at, data):
    """A scheduler that sends runs of rows, from any row on; a queue that loses, doubles and reorders; crashes before
    and behind the commit. At the end the sweep asks for what is left.
    """
    with writing(at.engine) as conn:
        conn.execute(delete(schema.metric))
    at.stage = at.new_stage()
    uids = [at.monitored(f"m{index}", ROWS) for index in range(METRICS)]
    published: list[tuple[str, int]] = []
    runs = st.tuples(st.sampled_from(uids), st.integers(1, ROWS), st.integers(1, ROWS))
    for _ in range(data.draw(st.integers(0, 12), label="batches")):
        sent = data.draw(st.lists(runs, min_size=1, max_size=3), label="runs")
        batch = [scores(uid, *range(first, min(first + count, ROWS + 1))) for uid, first, count in sent]
        crash = data.draw(st.sampled_from(["no", "before", "behind the commit"]), label="crash")
        if crash == "before":
            continue  # and then lost
        if crash == "behind the commit":
            batch.sort(
                key=lambda message: message.rowids[0]
            )  # in order: what its queue keeps but for consumer changes
        given = at.give(*batch)
        if crash == "no":
            published += given.rowids()
            continue
        at.stage = (
            at.new_stage()
        )  # what was to be published is gone with the old one; the messages come again, alone
        for message in batch:
            published += at.give(message, deliveries=2).rowids()
    for uid in uids:
        first = at.state(uid).scored_rowid + 1
        if first <= ROWS:
            published += at.give(scores(uid, *range(first, ROWS + 1))).rowids()
    for uid in uids:
        assert [(row.rowid, row.anomaly_score) for row in at.stored(uid)] == [
            (rowid, 0.25 + rowid / 1024) for rowid in range(1, ROWS + 1)
        ]
        of_metric = [rowid for name, rowid in published if name == uid]
        assert list(dict.fromkeys(of_metric)) == list(range(1, ROWS + 1))
        assert at.state(uid).scored_rowid == ROWS


def _fields(scored: Scores) -> dict:
    return {name: getattr(scored, name) for name in scored.__struct_fields__}


def test_what_becomes_of_scores_is_counted(at):
    uid = at.monitored("m", 6)
    at.give(scores(uid, 1, 2), scores(uid, 2, 3), scores(uid, 5))
    at.give(scores(uid, 3, generation=7), ModelFailure(uid=uid, generation=0, error_message="broken"))
    counted = at.stage.counters.snapshot()
    assert (counted["scores_stored"], counted["scores_repeated"], counted["scores_too_early"]) == (3, 1, 1)
    assert (counted["scores_of_ended_models"], counted["models_failed"]) == (1, 1)
    assert counted["published_messages"] == 2
