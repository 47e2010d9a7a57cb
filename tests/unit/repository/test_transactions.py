import threading

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from htmengine.repository import metrics, schema
from htmengine.repository.errors import RepositoryError


def test_what_is_written_is_there_and_after_an_error_it_is_not(database):
    with database.write() as conn:
        metrics.create_custom(conn, ["kept"])
    with pytest.raises(ZeroDivisionError), database.write() as conn:
        _ = metrics.create_custom(conn, ["lost"]), 1 / 0
    with database.read() as conn:
        assert list(metrics.states_by_name(conn, ["kept", "lost"])) == ["kept"]


def test_one_writes_at_a_time_while_others_read(database):
    order = []
    second = threading.Event()

    def write():
        second.set()
        with database.write() as conn:
            metrics.create_custom(conn, ["second"])
            order.append("second")

    thread = threading.Thread(target=write)
    with database.write() as conn:
        metrics.create_custom(conn, ["first"])
        thread.start()
        second.wait()
        with database.read() as reader:
            assert metrics.states_by_name(reader, ["first", "second"]) == {}
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_reader_sees_one_state_of_the_database(database):
    with database.read() as reader:
        assert metrics.states_by_name(reader, ["new"]) == {}
        with database.write() as conn:
            metrics.create_custom(conn, ["new"])
        assert metrics.states_by_name(reader, ["new"]) == {}


def test_tables_that_are_missing_are_an_error_that_says_what_to_do(empty_database):
    with (
        pytest.raises(RepositoryError, match=r"empty.*metric") as caught,
        empty_database.read() as conn,
    ):
        metrics.states(conn, ["a"])
    assert "htmengine db upgrade" in caught.value.hint


def test_a_broken_rule_of_the_tables_stays_an_error_of_sqlalchemy(database):
    with pytest.raises(IntegrityError), database.write() as conn:
        conn.execute(insert(schema.metric).values([{"uid": "a"}, {"uid": "a"}]))
