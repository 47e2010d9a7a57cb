"""Connections of the documented engine commit as applications of it expect."""

from pathlib import Path

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import OperationalError

from htmengine import config, repository
from htmengine.repository import migrations, schema
from htmengine.repository.engine import open_engine


@pytest.fixture
def engine(tmp_path):
    settings = config.embedded(tmp_path)
    made = open_engine(settings.repository)
    migrations.upgrade(made, 1)
    made.dispose()
    documented = repository.engineFactory(settings)
    yield documented
    documented.dispose()


def names(engine):
    with engine.connect() as conn:
        return {row.name for row in repository.getAllMetrics(conn, [schema.metric.c.name])}


def add(conn, name):
    repository.addMetric(conn, datasource="custom", name=name)


def test_a_statement_outside_of_a_transaction_is_committed(engine):
    with engine.connect() as conn:
        conn.execute(insert(schema.metric).values(uid="1", name="by statement"))
        conn.execute(text("INSERT INTO metric (uid, name) VALUES ('2', 'by text')"))
        conn.exec_driver_sql("INSERT INTO metric (uid, name) VALUES ('3', 'by driver')")
    assert names(engine) == {"by statement", "by text", "by driver"}


def test_a_query_does_not_hold_back_what_a_function_writes_after_it(engine):
    with engine.connect() as conn:
        assert conn.execute(select(schema.metric)).all() == []
        assert conn.scalar(select(schema.lock.c.name)) == "metrics"
        assert conn.scalars(select(schema.lock.c.name)).all() == ["metrics"]
        add(conn, "after a query")
    assert names(engine) == {"after a query"}


def test_a_result_may_be_read_after_the_next_statement(engine):
    with engine.connect() as conn:
        add(conn, "a")
        first = conn.execute(select(schema.metric.c.name))
        conn.execute(text("DELETE FROM metric"))
        assert first.scalars().all() == ["a"]


def test_a_transaction_within_another_joins_it(engine):
    with engine.begin() as conn:
        add(conn, "outer")
        with conn.begin():
            add(conn, "inner")
        assert conn.in_transaction()
        assert names(engine) == set()
    assert names(engine) == {"outer", "inner"}


def test_what_is_rolled_back_within_rolls_back_all(engine):
    def fail(conn):
        with conn.begin():
            add(conn, "outer")
            with conn.begin():
                add(conn, "inner")
                raise RuntimeError

    with engine.connect() as conn:
        with pytest.raises(RuntimeError):
            fail(conn)
        add(conn, "later")
    assert names(engine) == {"later"}


def test_a_transaction_ends_by_hand(engine):
    with engine.connect() as conn:
        transaction = conn.begin()
        add(conn, "rolled back")
        transaction.rollback()
        transaction = conn.begin()
        add(conn, "committed")
        transaction.commit()
    assert names(engine) == {"committed"}


def test_an_applications_transaction_may_read_first_and_write_later(engine):
    with engine.connect() as conn, conn.begin():
        assert conn.scalar(select(schema.metric.c.name)) is None
        with open_engine(config.Repository(path=Path(engine.url.database))).connect() as other:
            other.exec_driver_sql("PRAGMA busy_timeout = 0")
            with pytest.raises(OperationalError, match="locked"):
                other.execute(text("INSERT INTO metric (uid, name) VALUES ('1', 'between')"))
        add(conn, "after reading")
    assert names(engine) == {"after reading"}
