"""What goes wrong with a server, and what becomes of the transaction."""

import random
import threading

import msgspec
import pytest
from sqlalchemy import select, update

from htmengine.repository import metrics, retryOnTransientErrors, samples, schema, scores
from htmengine.repository.errors import RepositoryError, RepositoryUnavailable, TransactionRolledBack
from htmengine.repository.opening import open_database
from htmengine.repository.retrying import again_if_rolled_back

METRIC = schema.metric.c
KILL = {
    "mysql": ("SELECT connection_id()", "KILL {}"),
    "postgresql": ("SELECT pg_backend_pid()", "SELECT pg_terminate_backend({})"),
}


def rename(conn, uid, name):
    conn.execute(update(schema.metric).where(METRIC.uid == uid).values(name=name))


def crossing(database, decorate):
    """Let two writers lock two metrics in opposite orders; return their errors."""
    with database.write() as conn:
        uids = list(metrics.create_custom(conn, ["a", "b"]).values())
    both = threading.Barrier(2)
    met, errors = [], []

    def write(first, second):
        @decorate
        def once():
            with database.write() as conn:
                rename(conn, first, f"locked first by {first}")
                if len(met) < 2:  # when it is done again, nobody is waited for
                    met.append(first)
                    both.wait(60)
                rename(conn, second, f"locked second by {first}")

        try:
            once()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=pair) for pair in (uids, uids[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_of_two_writers_that_wait_for_each_other_one_is_told_to_do_it_again(database):
    [error] = crossing(database, lambda function: function)
    assert isinstance(error, TransactionRolledBack)
    assert "eadlock" in str(error)
    with database.read() as conn:
        names = set(conn.scalars(select(METRIC.name)))
    assert len({name.split()[-1] for name in names}) == 1  # all of one writer's, nothing of the other's


@pytest.mark.parametrize("again", [retryOnTransientErrors, again_if_rolled_back])
def test_a_transaction_that_is_done_again_after_a_deadlock_succeeds(database, again):
    assert crossing(database, again) == []


def test_metrics_that_were_locked_are_changed_in_any_order(database):
    with database.write() as conn:
        first, second = metrics.create_custom(conn, ["a", "b"]).values()
    errors = []

    def write(*order):
        try:
            for step in range(30):
                with database.write() as conn:
                    metrics.lock(conn, order)
                    for uid in order:
                        metrics.set_status(conn, uid, 1, message=str(step))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=order) for order in ((first, second), (second, first))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_connection_that_is_lost_takes_its_transaction_with_it_and_the_next_is_a_new_one(database, uid):
    ask, kill = KILL[database.dialect]

    def lose():
        with database.write() as conn:
            rename(conn, uid, "lost")
            own = conn.exec_driver_sql(ask).scalar()
            with database.engine.connect() as other:
                other.exec_driver_sql(kill.format(own))
            rename(conn, uid, "lost again")

    with pytest.raises(RepositoryUnavailable):
        lose()
    with database.read() as conn:
        assert conn.scalar(select(METRIC.name)) == "some.metric"


def test_a_lock_that_is_not_given_in_time_is_waited_for_again(database, uid):
    impatient = {"mysql": "SET innodb_lock_wait_timeout = 0", "postgresql": "SET LOCAL lock_timeout = '1ms'"}

    def wait():
        with database.write() as other:
            other.detach()  # the setting stays with this connection
            other.exec_driver_sql(impatient[database.dialect])
            rename(other, uid, "waiting")

    with database.write() as conn:
        rename(conn, uid, "held")
        with pytest.raises(TransactionRolledBack):
            wait()


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"db": "not_there"}, RepositoryError),
        ({"user": "nobody"}, RepositoryError),
        ({"port": 1}, RepositoryUnavailable),
    ],
)
def test_a_database_that_cannot_be_used_is_named_without_the_password(database_server, wrong, error):
    database = open_database(
        msgspec.structs.replace(database_server, **{"db": "x", "passwd": "S3cret"} | wrong)
    )
    with pytest.raises(error) as caught, database.read():
        pass
    text = f"{caught.value} {caught.value.hint} {database.place} {database.engine!r}"
    assert "127.0.0.1" in str(caught.value)
    assert "S3cret" not in text
    database.close()


def test_writers_of_the_same_metrics_in_different_orders_do_not_stop_each_other(database):
    with database.write() as conn:
        uids = list(metrics.create_custom(conn, [f"metric.{number}" for number in range(300)]).values())
    errors = []

    def write(store):
        try:
            for step in range(20):
                with database.write() as conn:
                    assert store(conn, random.Random(step).sample(uids, len(uids)), step) == len(uids)
        except Exception as error:
            errors.append(error)

    def append(conn, some, step):
        return samples.advance_last(conn, [samples.Advance(uid, step, step + 1, step) for uid in some])

    def score(conn, some, step):
        return scores.advance_watermarks(conn, [(uid, 0, step, step + 1) for uid in reversed(some)])

    threads = [threading.Thread(target=write, args=(store,)) for store in (append, score)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
