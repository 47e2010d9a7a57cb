import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text

from htmengine.repository import metrics, migrations, schema, scores
from htmengine.repository.engine import reading, writing
from htmengine.repository.errors import RepositoryError
from tests.unit.repository import documented
from tests.unit.repository.rows import add_rows


def differences(engine):
    """Return how the tables differ from those of `schema`."""
    with reading(engine) as conn:
        context = MigrationContext.configure(
            conn, opts={"compare_type": True, "include_name": lambda name, kind, _: name != "alembic_version"}
        )
        return compare_metadata(context, schema.metadata)


def indexes(engine):
    with reading(engine) as conn:
        query = text(
            "SELECT name, replace(replace(sql, char(10), ''), '\"', '') FROM sqlite_schema WHERE type = 'index'"
        )
        return dict(conn.execute(query).all())


def test_a_new_database_gets_the_tables_of_the_schema(engine):
    assert differences(engine) == []
    assert migrations.is_current(engine)
    with reading(engine) as conn:
        assert migrations.installed_shards(conn) == 4
        assert conn.scalars(select(schema.lock.c.name)).all() == ["metrics"]
        assert conn.scalars(select(schema.shard_owner.c.shard)).all() == [0, 1, 2, 3]


@pytest.mark.parametrize("revision", [None, *documented.REVISIONS])
def test_a_documented_database_of_any_revision_becomes_the_same_as_a_new_one(engine, empty_engine, revision):
    with writing(empty_engine) as conn:
        documented.create(conn, revision=revision)
    assert not migrations.is_current(empty_engine)
    migrations.upgrade(empty_engine, shards=2)
    assert migrations.is_current(empty_engine)
    # SQLite cannot give a column a default later; none of the engine's code goes without the value.
    assert differences(empty_engine) == []
    assert indexes(empty_engine) == indexes(engine)
    with reading(empty_engine) as conn:
        assert migrations.installed_shards(conn) == 2
        assert conn.scalars(select(schema.lock.c.name)).all() == ["metrics"]


def test_dates_of_the_oldest_revision_stay_readable(empty_engine):
    with writing(empty_engine) as conn:
        documented.create(conn, revision=documented.REVISIONS[0], time="TIMESTAMP")
    migrations.upgrade(empty_engine, shards=1)
    with reading(empty_engine) as conn:
        assert next(row.timestamp for row in scores.stored(conn, "modelled", 1, 9)) == 1767225720


@pytest.mark.parametrize("revision", [None, documented.REVISIONS[-1]])
def test_metrics_of_an_older_application_go_on_where_their_scores_end(empty_engine, revision):
    with writing(empty_engine) as conn:
        documented.create(conn, revision=revision)
    migrations.upgrade(empty_engine, shards=1)
    with writing(empty_engine) as conn:
        found = metrics.states(conn, ["modelled", "unmonitored", "fresh", "purged"])
        stands = {uid: state[3:] for uid, state in found.items()}
        assert stands == {
            # status, generation, base, last, scored, tail
            "modelled": (1, 0, 1, 5, 3, 1767225900),
            "unmonitored": (0, 0, 0, 2, 0, 1767225607),
            "fresh": (0, 0, 0, 0, 0, None),
            "purged": (1, 0, 7, 7, 7, None),
        }
        assert [state.uid for state in metrics.lagging(conn, limit=9)] == ["modelled"]
        add_rows(conn, "modelled", 3)


def test_tables_that_an_application_made_from_the_schema_are_taken_over(engine, empty_engine):
    with writing(empty_engine) as conn:
        schema.metadata.create_all(conn)
        assert conn.scalars(select(schema.lock.c.name)).all() == ["metrics"]
    migrations.upgrade(empty_engine, shards=3)
    assert differences(empty_engine) == []
    assert indexes(empty_engine) == indexes(engine)


def test_another_upgrade_changes_nothing(engine, uid):
    with writing(engine) as conn:
        add_rows(conn, uid, 3)
    before = engine.raw_connection().driver_connection.iterdump()
    dump = list(before)
    migrations.upgrade(engine, shards=9)
    assert list(engine.raw_connection().driver_connection.iterdump()) == dump


def test_an_upgrade_that_fails_changes_nothing(empty_engine, monkeypatch):
    with writing(empty_engine) as conn:
        documented.create(conn, revision=documented.REVISIONS[0])

    def fail(conn):
        raise OSError("no more")

    monkeypatch.setattr(migrations, "installed_shards", fail)
    with pytest.raises(OSError, match="no more"):
        migrations.upgrade(empty_engine, shards=1)
    with reading(empty_engine) as conn:
        assert migrations.revision(conn) == documented.REVISIONS[0]
        assert not inspect(conn).has_table("installation")


def test_tables_of_a_newer_version_are_refused(engine):
    with writing(engine) as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = 'ffffffffffff'"))
    with pytest.raises(RepositoryError, match=r"repository\.sqlite.*ffffffffffff.*newer") as caught:
        migrations.upgrade(engine, shards=1)
    assert "later" in caught.value.hint
    assert not migrations.is_current(engine)


def test_importing_the_repository_opens_nothing_and_leaves_alembic_out():
    script = (
        "import sys, builtins, sqlite3\n"
        "import htmengine.repository, htmengine.repository.migrations\n"
        "assert 'alembic' not in sys.modules, 'alembic'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
