"""The judge of the chaos benchmark finds what is wrong with scores, alarms and hours."""

import numpy as np
import pytest
from sqlalchemy import delete, null, update

from benchmarks.chaos.oracle import judge
from benchmarks.fleet import Fleet
from htmengine.htm import params
from htmengine.htm.model import Model
from htmengine.htm.pool import Pool
from htmengine.model_swapper import definition
from htmengine.model_swapper.score_batch import ShardBatch
from htmengine.repository import alarms, hours, metrics, samples, schema, scores
from htmengine.repository.status import MetricStatus
from htmengine.runtime.anomaly_service.alarms import new_alarms
from tests.support.repository import new_repository

ROWS = 700
row, alarm, hour = schema.metric_data.c, schema.metric_alarm.c, schema.metric_hour.c


@pytest.fixture(scope="module")
def fleet():
    random = np.random.default_rng(4)
    values = 10 + np.sin(np.arange(ROWS) / 20) + random.normal(size=(1, ROWS)) / 10
    values[0, [500, 650]] += 40
    return Fleet(["m"], values)


@pytest.fixture
def database(tmp_path, fleet):
    """Give a repository with what an undisturbed engine stores of the fleet."""
    database = new_repository(tmp_path / "repository.sqlite", shards=1)
    times, values = fleet.timestamps().astype(int).tolist(), fleet.values[0].tolist()
    parameters = params.parameter_set("default")
    with database.write() as conn:
        uid = metrics.create_custom(conn, ["m"])["m"]
        metrics.start_model(
            conn,
            uid,
            parameters="{}",
            model_params=definition.render(parameters),
            status=MetricStatus.ACTIVE,
        )
        rowids = list(range(1, ROWS + 1))
        samples.advance_last(conn, [samples.Advance(uid, 0, ROWS, times[-1])])
        samples.append(conn, [uid] * ROWS, rowids, times, values)
        pool, batch = Pool(), ShardBatch()
        pool.add(uid, Model(parameters))
        batch.samples.extend([uid] * ROWS, [0] * ROWS, rowids, times, values, [0] * ROWS)
        for message in batch.messages(pool.score(batch.samples.uids, times, values, explain_from=0.5), 0):
            columns = {
                name: getattr(message, name)
                for name in message.__struct_fields__
                if name not in ("generations", "timestamps", "values", "digests", "one_in", "why", "silenced")
            }
            scores.store(conn, **columns)
            alarms.store(conn, new_alarms(message))
        scores.advance_watermarks(conn, [(uid, 0, 0, ROWS)])
        hours.store(conn, [hours.summed_to(conn, uid, 0, 0, 680)])
    yield database
    database.close()


def verdict(database, fleet):
    published = [("m", rowid) for rowid in range(1, ROWS + 1)]
    with database.read() as conn:
        return {name: count for name, count in judge(conn, fleet, published)._asdict().items() if count}


def test_what_an_undisturbed_engine_stores_is_right(database, fleet):
    assert verdict(database, fleet) == {}
    with database.read() as conn:
        assert len(conn.execute(schema.metric_alarm.select()).all()) == 2


LAST = alarm.rowid == 651


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (
            update(schema.metric_data).where(row.rowid == 400).values(log_score=0.125),
            {"different": 1},
        ),
        (update(schema.metric_data).where(row.rowid == 400).values(forecast=10.5), {"different": 1}),
        (update(schema.metric_data).where(row.rowid == 400).values(usual_low=null()), {"different": 1}),
        (delete(schema.metric_alarm).where(LAST), {"alarms_lost": 1}),
        (update(schema.metric_alarm).where(LAST).values(rowid=3), {"alarms_lost": 1, "alarms_doubled": 1}),
        (update(schema.metric_alarm).where(LAST).values(why="{}"), {"alarms_different": 1}),
        (update(schema.metric_alarm).where(LAST).values(one_in=null()), {"alarms_different": 1}),
        (update(schema.metric_alarm).where(LAST).values(first_rowid=501), {"alarms_different": 1}),
        (update(schema.metric_hour).where(hour.last_rowid == 680).values(samples=1), {"hours_wrong": 1}),
        (update(schema.metric_hour).where(hour.last_rowid == 680).values(mean_value=1.0), {"hours_wrong": 1}),
        (delete(schema.metric_hour).where(hour.last_rowid == 680), {"hours_wrong": 1}),
    ],
)
def test_what_was_changed_is_found(database, fleet, change, found):
    with database.write() as conn:
        conn.execute(change)
    assert verdict(database, fleet) == found
