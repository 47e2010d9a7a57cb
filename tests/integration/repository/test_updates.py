"""What updates of metrics cost PostgreSQL, which keeps the old version of each row for a while."""

import pytest

from htmengine.repository import metrics, migrations, samples, schema, scores
from tests.integration.repository.conftest import new_database


@pytest.fixture
def database(postgresql_server):
    database = new_database(postgresql_server.settings(), "updates")
    migrations.upgrade(database, shards=1)
    yield database
    database.close()


def test_storing_and_scoring_change_no_index_of_the_metrics(database):
    with database.write() as conn:
        uids = list(metrics.create_custom(conn, [f"metric.{number}" for number in range(200)]).values())
        conn.execute(schema.metric.update().values(status=1, model_params="x" * 1500))
    for step in range(10):
        with database.write() as conn:
            samples.advance_last(conn, [samples.Advance(uid, step, step + 1, 0) for uid in uids])
        with database.write() as conn:
            scores.advance_watermarks(conn, [(uid, 0, step, step + 1) for uid in uids])
    with database.write() as conn:
        conn.exec_driver_sql("SELECT pg_stat_force_next_flush()")
    with database.write() as conn:
        updates = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = %s"
        found = [conn.exec_driver_sql(updates, (name,)).one() for name in ("metric", "metric_watermark")]
    for every, without_index in found:
        assert every >= 2000
        assert without_index > 0.8 * every
