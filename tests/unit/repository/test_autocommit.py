"""Connections of the documented engine commit as applications of it expect."""

from pathlib import Path

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import OperationalError

from htmengine import config, repository
from htmengine.repository import schema


@pytest.fixture
def documented(database):
    """Give the database as applications get it."""
    url = database.engine.url
    dialect = url.get_backend_name()
    if dialect == "sqlite":
        settings = config.Repository(path=Path(url.database))
    else:
        settings = config.Repository(
            dialect=dialect,
            host=url.host,
            port=url.port,
            user=url.username,
            passwd=url.password or "",
            db=url.database,
        )
    given = repository.engineFactory(settings)
    yield given
    given.dispose()


def names(engine):
    with engine.connect() as conn:
        return {row.name for row in repository.getAllMetrics(conn, [schema.metric.c.name])}


def add(conn, name):
    repository.addMetric(conn, datasource="custom", name=name)


def test_a_statement_outside_of_a_transaction_is_committed(documented):
    with documented.connect() as conn:
        conn.execute(insert(schema.metric).values(uid="1", name="by statement"))
        conn.execute(text("INSERT INTO metric (uid, name) VALUES ('2', 'by text')"))
        conn.exec_driver_sql("INSERT INTO metric (uid, name) VALUES ('3', 'by driver')")
    assert names(documented) == {"by statement", "by text", "by driver"}


def test_a_query_does_not_hold_back_what_a_function_writes_after_it(documented):
    with documented.connect() as conn:
        assert conn.execute(select(schema.metric)).all() == []
        lock = select(schema.lock.c.name).where(schema.lock.c.name == "metrics")
        assert conn.scalar(lock) == "metrics"
        assert conn.scalars(lock).all() == ["metrics"]
        add(conn, "after a query")
    assert names(documented) == {"after a query"}


def test_a_result_may_be_read_after_the_next_statement(documented):
    with documented.connect() as conn:
        add(conn, "a")
        first = conn.execute(select(schema.metric.c.name))
        conn.execute(text("DELETE FROM metric"))
        assert first.scalars().all() == ["a"]


def test_a_transaction_within_another_joins_it(documented):
    with documented.begin() as conn:
        add(conn, "outer")
        with conn.begin():
            add(conn, "inner")
        assert conn.in_transaction()
        assert names(documented) == set()
    assert names(documented) == {"outer", "inner"}


def test_what_is_rolled_back_within_rolls_back_all(documented):
    def fail(conn):
        with conn.begin():
            add(conn, "outer")
            with conn.begin():
                add(conn, "inner")
                raise RuntimeError

    with documented.connect() as conn:
        with pytest.raises(RuntimeError):
            fail(conn)
        add(conn, "later")
    assert names(documented) == {"later"}


def test_a_transaction_ends_by_hand(documented):
    with documented.connect() as conn:
        transaction = conn.begin()
        add(conn, "rolled back")
        transaction.rollback()
        transaction = conn.begin()
        add(conn, "committed")
        transaction.commit()
    assert names(documented) == {"committed"}


def test_an_applications_transaction_may_read_first_and_write_later(documented, database):
    with documented.connect() as conn, conn.begin():
        assert conn.scalar(select(schema.metric.c.name)) is None
        if database.dialect == "sqlite":  # which would refuse the write, if another wrote after the read
            with database.engine.connect() as other:
                other.exec_driver_sql("PRAGMA busy_timeout = 0")
                with pytest.raises(OperationalError, match="locked"):
                    other.execute(text("INSERT INTO metric (uid, name) VALUES ('1', 'between')"))
        add(conn, "after reading")
    assert names(documented) == {"after reading"}
