"""What `htmengine verify` sees: scores of other samples, rows that were changed, checkpoints of other samples."""

from random import Random

import numpy as np
import pytest
from sqlalchemy import delete, null, update

from htmengine import config
from htmengine.admin import rescoring
from htmengine.admin.verify import checkpoint_findings, verify
from htmengine.htm import params
from htmengine.htm.model import Model
from htmengine.model_swapper import definition
from htmengine.model_swapper.checkpoint_store import compressed, open_checkpoint_store
from htmengine.repository import identity, metrics, samples, schema, scores
from htmengine.repository.engine import writing
from htmengine.repository.status import MetricStatus
from htmengine.repository.verification import RowCounts
from htmengine.service.context import opened

PARAMETERS = params.parameter_set("default")
ROWS = 60
START = 1_600_000_000
row = schema.metric_data.c


@pytest.fixture
def context(tmp_path):
    with opened(config.embedded(tmp_path)) as context:
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
    columns = np.vstack(
        [
            np.column_stack(first.stored),
            np.column_stack(model.score_series(times[checkpoint:], values[checkpoint:]).stored),
        ]
    )
    store = open_checkpoint_store(context.settings, context.engine)
    with writing(context.engine) as conn:
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
        raw, anomaly, log, sequence, novelty = columns.T.tolist()
        scores.store(
            conn,
            uids=[uid] * ROWS,
            rowids=rowids,
            raw_anomaly_scores=raw,
            anomaly_scores=anomaly,
            log_scores=log,
            sequence_scores=sequence,
            novelty_scores=novelty,
        )
        scores.advance_watermarks(conn, [(uid, 0, 0, ROWS)])
        model_digest = metrics.states(conn, [uid])[uid].model_digest
    digest = identity.with_model(digests[checkpoint - 1], model_digest)
    store.write(
        [compressed(uid, 0, checkpoint, 0, block, digest)], {0: store.claim(0)}, scored={uid: ROWS}, now=0
    )
    return uid


def change(context, statement):
    with writing(context.engine) as conn:
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
    store = open_checkpoint_store(context.settings, context.engine)
    (key,) = store.listing(uid)
    block = store.read(key).block()
    store.write([compressed(uid, 0, 40, 0, block, 5)], {0: store.epoch(0)}, scored={}, now=0)
    assert verify(context).findings == [
        "m: the checkpoint of row 40 has taken other samples than those that are stored"
    ]


def test_rows_of_an_earlier_version_are_compared_by_their_scores_alone(context, uid):
    change(context, update(schema.metric_data).where(row.rowid <= 30).values(digest=null()))
    change(context, update(schema.metric).values(model_digest=null()))
    store = open_checkpoint_store(context.settings, context.engine)
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
    open_checkpoint_store(context.settings, context.engine).delete_models([(uid, 0)])
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
    verify(context, show=lambda *told: shown.append(told))
    assert shown == [("Reading checkpoints", 0, 1), ("Scoring metrics again", 0, 1)]


class CountedList(list):
    """Counts how often it is gone through."""

    times = 0

    def __iter__(self):
        self.times += 1
        return super().__iter__()


def test_checkpoints_are_gone_through_once_however_many_metrics_there_are():
    counts = [
        RowCounts(str(i), f"m{i}", MetricStatus.ACTIVE, 0, 0, 9, 9, None, 9, 1, 9, 9, 9, None)
        for i in range(50)
    ]
    checkpoints = CountedList()
    assert checkpoint_findings(counts, checkpoints) == []
    assert checkpoints.times == 1
