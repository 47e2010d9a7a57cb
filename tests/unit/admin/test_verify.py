"""What `htmengine verify` sees: scores of other samples, rows that were changed, checkpoints of other samples."""

from random import Random

import numpy as np
import pytest
from sqlalchemy import delete, null, update

from htmengine import config
from htmengine.admin import rescoring
from htmengine.admin import verify as verifying
from htmengine.admin.verify import checkpoint_findings, verify
from htmengine.htm import params
from htmengine.htm.model import Model
from htmengine.model_swapper import definition
from htmengine.model_swapper.checkpoint import Checkpoint
from htmengine.model_swapper.checkpoint_store import open_checkpoint_store
from htmengine.repository import alarms, hours, identity, metrics, samples, schema, scores
from htmengine.repository.alarms import NewAlarm
from htmengine.repository.row_checks import RowCounts
from htmengine.repository.status import MetricStatus
from htmengine.service.context import opened

PARAMETERS = params.parameter_set("default")
ROWS = 60
START = 1_600_000_000
row = schema.metric_data.c


@pytest.fixture
def context(data_folder):
    with opened(config.embedded(data_folder)) as context:
        yield context


@pytest.fixture
def uid(context):
    return scored(context, "m")


def scored(context, name, *, checkpoint=40):
    """Store a metric whose samples are all scored, with a checkpoint of a row."""
    times = [START + 60 * i for i in range(1, ROWS + 1)]
    values = np.random.default_rng(0).normal(size=ROWS).tolist()
    digests = list(identity.extended(identity.start(0, None), times, values))
    model = Model(PARAMETERS)
    first = model.score_series(times[:checkpoint], values[:checkpoint])
    block = model.save()
    second = model.score_series(times[checkpoint:], values[checkpoint:])
    columns = np.vstack([np.column_stack((*series.stored, *series.expected)) for series in (first, second)])
    store = open_checkpoint_store(context.settings, context.database)
    with context.database.write() as conn:
        uid = metrics.create_custom(conn, [name])[name]
        metrics.start_model(
            conn,
            uid,
            parameters="{}",
            model_params=definition.render(PARAMETERS),
            status=MetricStatus.ACTIVE,
        )
        rowids = range(1, ROWS + 1)
        samples.append(conn, [uid] * ROWS, rowids, times, values, digests)
        samples.advance_last(conn, [samples.Advance(uid, 0, ROWS, times[-1], digests[-1])])
        raw, anomaly, log, sequence, novelty, *expected = columns.T.tolist()
        scores.store(
            conn,
            uids=[uid] * ROWS,
            rowids=rowids,
            raw_anomaly_scores=raw,
            anomaly_scores=anomaly,
            log_scores=log,
            sequence_scores=sequence,
            novelty_scores=novelty,
            **dict(zip(("forecasts", "usual_lows", "usual_highs"), expected, strict=True)),
        )
        scores.advance_watermarks(conn, [(uid, 0, 0, ROWS)])
        model_digest = metrics.states(conn, [uid])[uid].model_digest
    digest = identity.with_model(digests[checkpoint - 1], model_digest)
    store.write(
        [Checkpoint.of(uid, 0, checkpoint, 0, block, digest)], {0: store.claim(0)}, scored={uid: ROWS}, now=0
    )
    return uid


def change(context, statement):
    with context.database.write() as conn:
        conn.execute(statement)


@pytest.mark.parametrize("rescore", [None, "*", "m"])
def test_scores_of_their_samples_are_no_finding(context, uid, rescore):
    report = verify(context, settled=True, rescore=rescore)
    assert report.findings == []
    assert report.rescored == ROWS


def test_only_metrics_that_are_asked_for_are_scored_again(context, uid):
    assert verify(context, rescore="other.*").rescored == 0


def test_a_score_of_another_sample_is_found(context, uid):
    change(context, update(schema.metric_data).where(row.rowid == 50).values(raw_anomaly_score=0.123))
    (finding,) = verify(context).findings
    assert finding.startswith("m: row 50 has other scores than its samples make")


@pytest.mark.parametrize("values", [{"metric_value": 77.0}, {"digest": 5}])
def test_a_row_that_was_changed_is_found(context, uid, values):
    change(context, update(schema.metric_data).where(row.rowid == 50).values(values))
    (finding,) = verify(context).findings
    assert "does not follow on row" in finding


def test_a_checkpoint_of_other_samples_is_found(context, uid):
    store = open_checkpoint_store(context.settings, context.database)
    (key,) = store.listing(uid)
    block = store.read(key).block()
    store.write([Checkpoint.of(uid, 0, 40, 0, block, 5)], {0: store.epoch(0)}, scored={}, now=0)
    assert verify(context).findings == [
        "m: the checkpoint of row 40 has taken other samples than those that are stored"
    ]


@pytest.mark.parametrize("name", ["forecast", "usual_low", "usual_high"])
@pytest.mark.parametrize("value", [0.125, null()])
def test_another_forecast_or_usual_value_is_found(context, uid, name, value):
    change(context, update(schema.metric_data).where(row.rowid == 50).values({name: value}))
    (finding,) = verify(context).findings
    assert finding.startswith(
        "m: row 50 has another forecast, or other usual values, than its samples make: "
    )


def test_rows_of_before_forecasts_were_stored_are_compared_by_their_scores_alone(context, uid):
    nothing = {"forecast": null(), "usual_low": null(), "usual_high": null()}
    change(context, update(schema.metric_data).where(row.rowid <= 45).values(nothing))
    assert verify(context).findings == []
    change(context, update(schema.metric_data).where(row.rowid == 50).values(nothing))
    (finding,) = verify(context).findings
    assert finding.startswith("m: row 50 has another forecast")


def test_a_row_whose_alarm_is_not_stored_is_found(context, uid):
    alarming = {"log_score": 0.7, "anomaly_score": 0.9999999}
    change(context, update(schema.metric_data).where(row.rowid == 50).values(alarming))
    assert f"{uid}: row 50 alarms, but its alarm is not stored" in verify(context).findings


@pytest.mark.parametrize(
    "changed", [{"rowid": 51}, {"metric_value": 5.0}, {"log_score": 0.75}, {"rowid": 1000}]
)
def test_an_alarm_of_another_row_is_found(context, uid, changed):
    alarming = {"log_score": 0.7, "anomaly_score": 0.9999999, "metric_value": 3.0}
    change(context, update(schema.metric_data).where(row.rowid == 50).values(alarming))
    with context.database.write() as conn:
        alarms.store(conn, [NewAlarm(uid, 50, START + 3000, 3.0, 0.7)])
    finding = f"{uid}: the alarm of row {changed.get('rowid', 50)} is not of that row"
    assert finding not in verify(context, rescore="none").findings
    change(context, update(schema.metric_alarm).values(changed))
    assert finding in verify(context, rescore="none").findings


@pytest.mark.parametrize("changed", [{"samples": 9}, {"mean_value": 0.5}, {"max_value": 9.0}, {"alarms": 1}])
def test_an_hour_of_other_rows_is_found(context, uid, changed):
    with context.database.write() as conn:
        hours.store(conn, [hours.summed_to(conn, uid, 0, 0, 55)])
        assert len(hours.stored(conn, uid, 0, START * 2)) == 2
    assert verify(context).findings == []
    second = schema.metric_hour.c.last_rowid == 55
    change(context, update(schema.metric_hour).where(second).values(changed))
    (finding,) = verify(context).findings
    assert finding == "m: the hour that begins 2020-09-13 13:00:00 has other sums than its rows make"
    change(context, delete(schema.metric_hour).where(second))
    (finding,) = verify(context).findings
    assert finding.startswith("m: the hour that begins 2020-09-13 13")


def test_hours_whose_rows_are_gone_are_no_finding(context, uid):
    with context.database.write() as conn:
        hours.store(conn, [hours.summed_to(conn, uid, 0, 0, 55)])
    change(context, delete(schema.metric_data).where(row.rowid <= 10))
    assert verify(context).findings == []


def test_rows_of_an_earlier_version_are_compared_by_their_scores_alone(context, uid):
    change(context, update(schema.metric_data).where(row.rowid <= 30).values(digest=null()))
    change(context, update(schema.metric).values(model_digest=null()))
    store = open_checkpoint_store(context.settings, context.database)
    store.delete_models([(uid, 0)])
    report = verify(context)
    assert (report.findings, report.rescored) == ([], ROWS)


def test_scores_of_the_original_engine_are_not_compared(context, uid):
    older = {"log_score": null(), "sequence_score": null(), "novelty_score": null(), "raw_anomaly_score": 0.5}
    change(context, update(schema.metric_data).where(row.rowid <= 30).values(older))
    assert verify(context).findings == []


def test_where_the_first_rows_are_gone_the_others_are_scored_from_a_checkpoint(context, uid):
    change(context, delete(schema.metric_data).where(row.rowid <= 35))
    report = verify(context)
    assert (report.findings, report.rescored) == ([], ROWS - 40)
    change(context, update(schema.metric_data).where(row.rowid == 50).values(raw_anomaly_score=0.123))
    assert "row 50 has other scores" in verify(context).findings[0]


def test_of_a_long_metric_the_newest_rows_are_scored_again(context, uid, monkeypatch):
    monkeypatch.setattr(rescoring, "SAMPLED_ROWS", 30)
    assert verify(context).rescored == ROWS - 40
    assert verify(context, rescore="*").rescored == ROWS
    open_checkpoint_store(context.settings, context.database).delete_models([(uid, 0)])
    assert verify(context).rescored == 30


def test_some_metrics_are_chosen_anew_each_time(context, uid, monkeypatch):
    monkeypatch.setattr(rescoring, "SAMPLED_METRICS", 1)
    scored(context, "n")
    seen = []
    monkeypatch.setattr(
        rescoring, "rescore", lambda *arguments, **_: seen.append(arguments[3]) or rescoring.Rescored(0, [])
    )
    for seed in range(10):
        verify(context, random=Random(seed))
    assert len(seen) == 10
    assert set(seen) == {"m", "n"}


def test_progress_is_shown_of_checkpoints_and_metrics(context, uid):
    shown = []
    verify(context, show=lambda *progress: shown.append(progress))
    assert shown == [
        ("Reading checkpoints", 0, 1),
        ("Reading rows", 0, 1),
        ("Scoring metrics again", 0, 1),
    ]


def test_a_part_of_the_metrics_is_looked_at(context, uid):
    scored(context, "web.n")
    change(context, update(schema.metric_data).where(row.rowid == 7).values(anomaly_score=1.5))
    report = verify(context, named="web.*")
    assert (report.metrics, report.rows, report.checkpoints) == (1, ROWS, 1)
    assert len([finding for finding in report.findings if "row 7 has only some" in finding]) == 1
    assert verify(context, named="none").metrics == 0


def test_rows_and_checkpoints_from_a_time_on_are_looked_at(context, uid):
    change(context, update(schema.metric_data).where(row.rowid == 7).values(raw_anomaly_score=1.5))
    report = verify(context, since=START + 60 * 8, rescore="none")
    assert (report.rows, report.checkpoints, report.findings) == (ROWS - 7, 0, [])
    assert verify(context, since=START + 60 * 7, rescore="none").findings


def test_damage_is_found_of_each_of_many_checkpoints_though_some_models_alone_are_loaded(
    context, uid, monkeypatch
):
    monkeypatch.setattr(verifying, "MODELS_LOADED", 1)
    monkeypatch.setattr(verifying, "CHECKPOINTS_BATCH_SIZE", 1)
    scored(context, "n")
    store = open_checkpoint_store(context.settings, context.database)
    with store._database.write() as conn:
        conn.execute(update(schema.model_checkpoint).values(block=b"HTMm" * 20))
    findings = verify(context, rescore="none").findings
    assert len([finding for finding in findings if "cannot be read" in finding]) == 2


class CountedList(list):
    """Counts how often it is gone through."""

    times = 0

    def __iter__(self):
        self.times += 1
        return super().__iter__()


def test_checkpoints_are_gone_through_once_however_many_metrics_there_are():
    counts = [
        RowCounts(str(i), f"m{i}", MetricStatus.ACTIVE, 0, 0, 9, 9, None, 9, 1, 9, 9, 9, None, 1)
        for i in range(50)
    ]
    checkpoints = CountedList()
    assert checkpoint_findings(counts, checkpoints) == []
    assert checkpoints.times == 1
