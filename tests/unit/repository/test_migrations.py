import importlib
import logging
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, Table, inspect, select, text

from htmengine.repository import alarms, hours, metrics, migrations, schema, scores
from htmengine.repository.embedded import tables as embedded
from htmengine.repository.errors import RepositoryError
from tests.support.concurrency import at_the_same_time
from tests.unit.repository import documented
from tests.unit.repository.older import as_before_runs, as_before_watermarks
from tests.unit.repository.rows import add_rows, add_scored, score_rows
from tests.unit.repository.tables import content, definitions


def differences(database):
    """Return how the tables differ from those of `schema`."""
    with database.read() as conn:
        apart = {"alembic_version"}
        if database.dialect == "mysql":  # has them in a form of its own
            apart.add("metric_pending_idx")
        elif (
            database.dialect == "sqlite"
        ):  # which has views in the place of these tables: `definitions` compares them
            apart |= {"metric_data", "timestamp_idx", "anomaly_score_idx"}
            apart |= {statement.split()[2] for statement in (*embedded.TABLES, *embedded.BLOCKS)}
        wanted = {"compare_type": True, "include_object": lambda _, name, *__: name not in apart}
        return compare_metadata(MigrationContext.configure(conn, opts=wanted), schema.metadata)


KEPT = ("metric", "metric_data")
LOCKS = ["alarms", "metrics", "teachings"]


def reflected(database, table):
    with database.read() as conn:
        return Table(table, MetaData(), autoload_with=conn)


def rows(database, table, columns):
    """Return these columns of all rows; a status or a last rowid that is NULL counts as 0."""
    there = schema.metadata.tables[table].c
    with database.read() as conn:
        return sorted(
            str(
                [
                    0 if row[name] is None and name in ("status", "last_rowid") else row[name]
                    for name in columns
                ]
            )
            for row in conn.execute(select(*(there[name] for name in columns))).mappings()
        )


def test_a_new_database_gets_the_tables_of_the_schema(database):
    assert differences(database) == []
    assert migrations.is_current(database)
    with database.read() as conn:
        assert migrations.installed_shards(conn) == 4
        assert conn.scalars(select(schema.lock.c.name).order_by("name")).all() == LOCKS
        assert conn.scalars(select(schema.shard_owner.c.shard)).all() == [0, 1, 2, 3]


@pytest.mark.parametrize("revision", [None, *documented.REVISIONS])
def test_a_documented_database_of_any_revision_becomes_the_same_as_a_new_one(
    database, empty_database, revision
):
    with empty_database.write() as conn:
        documented.create(conn, revision=revision)
    assert not migrations.is_current(empty_database)
    migrations.upgrade(empty_database, shards=2)
    assert migrations.is_current(empty_database)
    assert differences(empty_database) == []
    assert definitions(empty_database) == definitions(database)
    with empty_database.read() as conn:
        assert migrations.installed_shards(conn) == 2
        assert conn.scalars(select(schema.lock.c.name).order_by("name")).all() == LOCKS


def test_an_index_of_all_scores_becomes_one_of_the_notable_ones(database):
    expected = definitions(database)
    with database.write() as conn:
        as_before_runs(conn)
        on = " ON metric_data" if database.dialect == "mysql" else ""
        conn.exec_driver_sql(f"DROP INDEX anomaly_score_idx{on}")
        conn.exec_driver_sql("CREATE INDEX anomaly_score_idx ON metric_data (anomaly_score)")
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = 'a1e0c35d7b42'")
    migrations.upgrade(database, shards=4)
    assert migrations.is_current(database)
    assert definitions(database) == expected


def as_before_alarms(conn):
    """Make the tables those of the revision before alarms and hours."""
    as_before_runs(conn)
    for table in ("metric_alarm", "metric_hour"):
        conn.exec_driver_sql(f"DROP TABLE {table}")
    for table, column in [
        ("metric", "hourly_rowid"),
        *(("metric_data", name) for name in ("forecast", "usual_low", "usual_high")),
    ]:
        conn.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {column}")
    conn.execute(schema.lock.delete().where(schema.lock.c.name == "alarms"))
    conn.exec_driver_sql("UPDATE alembic_version SET version_num = 'e83b5d0f9c17'")


def rewritten(database):
    """Return what changes when the database writes the rows of metric_data anew."""
    with database.read() as conn:
        if database.dialect == "sqlite":
            return None  # does so, when they are brought into runs
        if database.dialect == "postgresql":
            return conn.scalar(text("SELECT pg_relation_filenode('metric_data')"))
        query = "SELECT table_id FROM information_schema.innodb_sys_tables WHERE name = :name"
        return conn.scalar(text(query), {"name": f"{database.engine.url.database}/metric_data"})


def test_rows_of_before_get_no_forecast_and_are_not_written_again_and_those_that_alarm_get_alarms(
    database, uid
):
    expected = definitions(database)
    log_scores = [0.1, 0.6, 0.2, 0.8, 0.5, *[0.0] * 10, 0.7]
    with database.write() as conn:
        times = [60 * rowid for rowid in range(1, len(log_scores) + 1)]
        add_scored(conn, uid, times, [7.0] * len(times), log_scores)
        as_before_alarms(conn)
    before = rewritten(database)
    migrations.upgrade(database, shards=4)
    assert rewritten(database) == before
    assert definitions(database) == expected
    assert differences(database) == []
    with database.read() as conn:
        rows = scores.stored(conn, uid, 1, 100)
        assert [row.log_score for row in rows] == log_scores
        assert {row.forecast for row in rows} == {None}
        found = alarms.alarms_of(conn, uid, since_rowid=0, limit=9)
        assert [(row.rowid, row.timestamp, row.value, row.log_score) for row in found] == [
            (rowid, 60 * rowid, 7.0, log_scores[rowid - 1]) for rowid in (2, 4, 5, 16)
        ]
        assert [(row.first_rowid, row.peak) for row in found] == [(2, 0.6), (2, 0.8), (2, 0.8), (16, 0.7)]
        assert {row.why for row in found} == {None}


@pytest.mark.parametrize("rows_at_once", [2, 50_000])
def test_rows_of_the_revision_before_runs_stay_as_they_are(database, uid, rows_at_once, monkeypatch, caplog):
    if database.dialect != "sqlite":
        return  # other databases have none
    expected = definitions(database)
    with database.write() as conn:
        add_scored(conn, uid, [60, 120, 180], [0.1, -7.25, 1e300], [0.1, 0.6, 0.2])
        add_rows(conn, uid, 4)
        metrics.create_custom(conn, ["without rows"])
        before = conn.execute(select(schema.metric_data).order_by("rowid")).all()
        as_before_runs(conn)
        assert conn.execute(select(schema.metric_data).order_by("rowid")).all() == before
    upgrade = importlib.import_module("htmengine.repository.migrations.versions.r22_runs")
    script = ScriptDirectory(str(Path(migrations.__file__).parent))
    monkeypatch.setattr(ScriptDirectory, "from_config", lambda config: script)
    revision = script.get_revision(upgrade.revision).module
    monkeypatch.setattr(revision, "_BATCH_SIZE", rows_at_once)
    monkeypatch.setattr(revision, "_SAID_EVERY_S", 0.0)
    with caplog.at_level(logging.INFO):
        migrations.upgrade(database, shards=4)
    assert definitions(database) == expected
    assert "repository.upgrading" in caplog.text
    with database.write() as conn:
        assert conn.execute(select(schema.metric_data).order_by("rowid")).all() == before
        add_rows(conn, uid, 2)
        assert metrics.state(conn, uid).last_rowid == 9


@pytest.mark.parametrize("cut_off", [False, True])
def test_watermarks_move_out_of_the_metrics_as_they_are(database, uid, cut_off):
    expected = definitions(database)
    with database.write() as conn:
        add_scored(conn, uid, [60, 120, 3700, 3760], [1.0, 2.0, 3.0, 4.0], [0.1, 0.6, 0.2, 0.1])
        add_rows(conn, uid, 2)
        hours.store(conn, [hours.summed_to(conn, uid, 0, 0, 2)])
        other = metrics.create_custom(conn, ["other"])["other"]
        before = metrics.states(conn, [uid, other])
        as_before_watermarks(conn)
        if cut_off and conn.dialect.name != "sqlite":  # behind the first rows of the new table
            schema.metric_watermark.create(conn)
            conn.execute(schema.metric_watermark.insert().values(uid=uid, scored_rowid=4, hourly_rowid=2))
    migrations.upgrade(database, shards=4)
    assert definitions(database) == expected
    assert differences(database) == []
    with database.write() as conn:
        assert metrics.states(conn, [uid, other]) == before
        assert (before[uid].scored_rowid, before[uid].hourly_rowid, before[uid].last_rowid) == (4, 2, 6)
        score_rows(conn, uid, 5, 6)


def test_dates_of_the_oldest_revision_stay_readable(empty_database):
    with empty_database.write() as conn:
        documented.create(conn, revision=documented.REVISIONS[0], time="TIMESTAMP")
    migrations.upgrade(empty_database, shards=1)
    with empty_database.read() as conn:
        assert next(row.timestamp for row in scores.stored(conn, "modelled", 1, 9)) == 1767225720


@pytest.mark.parametrize("revision", [None, documented.REVISIONS[-1]])
def test_metrics_of_an_older_application_go_on_where_their_scores_end(empty_database, revision):
    with empty_database.write() as conn:
        documented.create(conn, revision=revision)
    migrations.upgrade(empty_database, shards=1)
    with empty_database.write() as conn:
        found = metrics.states(conn, ["modelled", "unmonitored", "fresh", "purged"])
        stands = {uid: state[3:9] for uid, state in found.items()}
        assert stands == {
            # status, generation, base, last, scored, tail
            "modelled": (1, 0, 1, 5, 3, 1767225900),
            "unmonitored": (0, 0, 0, 2, 0, 1767225607),
            "fresh": (0, 0, 0, 0, 0, None),
            "purged": (1, 0, 7, 7, 7, None),
        }
        assert [state.uid for state in metrics.lagging(conn, limit=9)] == ["modelled"]
        add_rows(conn, "modelled", 3)


def test_tables_that_an_application_made_from_the_schema_are_taken_over(database, empty_database):
    with empty_database.write() as conn:
        schema.metadata.create_all(conn)
        assert conn.scalars(select(schema.lock.c.name).order_by("name")).all() == LOCKS
    migrations.upgrade(empty_database, shards=3)
    assert differences(empty_database) == []
    assert definitions(empty_database) == definitions(database)


def test_another_upgrade_changes_nothing(database, uid):
    with database.write() as conn:
        add_rows(conn, uid, 3)
    before = definitions(database), content(database)
    migrations.upgrade(database, shards=9)
    assert (definitions(database), content(database)) == before


def test_the_rows_of_an_older_application_stay_as_they_are(empty_database):
    with empty_database.write() as conn:
        documented.create(conn, revision=documented.REVISIONS[-1])
    wanted = {table: [column.name for column in reflected(empty_database, table).c] for table in KEPT}
    before = {table: rows(empty_database, table, columns) for table, columns in wanted.items()}
    migrations.upgrade(empty_database, shards=1)
    assert {table: rows(empty_database, table, columns) for table, columns in wanted.items()} == before
    assert len(before["metric_data"]) == 5


def test_an_upgrade_that_fails_can_be_done_again(database, empty_database, monkeypatch):
    with empty_database.write() as conn:
        documented.create(conn, revision=documented.REVISIONS[0])

    def fail(conn):
        raise OSError("no more")

    with monkeypatch.context() as patched:
        patched.setattr(migrations, "installed_shards", fail)
        with pytest.raises(OSError, match="no more"):
            migrations.upgrade(empty_database, shards=1)
    if database.dialect != "mysql":  # which commits each change of a table
        with empty_database.read() as conn:
            assert migrations.revision(conn) == documented.REVISIONS[0]
            assert not inspect(conn).has_table("installation")
    migrations.upgrade(empty_database, shards=4)
    assert definitions(empty_database) == definitions(database)


def test_upgrades_at_the_same_time_wait_for_each_other(database, empty_database):
    assert at_the_same_time(lambda: migrations.upgrade(empty_database, shards=4), 3) == []
    assert definitions(empty_database) == definitions(database)


def test_tables_of_a_newer_version_are_refused(database):
    with database.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = 'ffffffffffff'"))
    with pytest.raises(
        RepositoryError, match=f"{database.engine.url.database}.*ffffffffffff.*newer"
    ) as caught:
        migrations.upgrade(database, shards=1)
    assert "later" in caught.value.hint
    assert not migrations.is_current(database)
