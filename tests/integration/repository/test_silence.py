"""A database server that falls silent: a router forgot the connection, and nobody is told."""

import socket
import threading

import msgspec
import pytest
from sqlalchemy import select, text, update

from htmengine.errors import DependencyUnavailable
from htmengine.repository import metrics, migrations, schema
from htmengine.repository.errors import RepositoryUnavailable
from htmengine.repository.opening import open_database
from htmengine.service import retry
from tests import databases
from tests.support import silence

pytestmark = pytest.mark.slow

TIMEOUT_S = 2.0
METRIC = schema.metric.c
SLEEP = {"mysql": "SELECT sleep({})", "postgresql": "SELECT pg_sleep({})"}


@pytest.fixture
def settings(database_server):
    return databases.created(database_server, "silence")


@pytest.fixture
def router(settings):
    with silence.router(settings.host, settings.port) as router:
        yield router


@pytest.fixture
def routed(settings, router):
    return msgspec.structs.replace(settings, port=router.port, timeout_s=TIMEOUT_S)


@pytest.fixture
def database(routed):
    """Give the engine of a service, behind a router, with one metric."""
    database = open_database(routed, serving=True)
    migrations.upgrade(database, 1)
    with database.write() as conn:
        metrics.create_custom(conn, ["m"])
    yield database
    database.close()


def names(database):
    with database.read() as conn:
        return list(conn.scalars(select(METRIC.name)))


def test_a_silent_server_is_said_to_be_away_and_the_next_connection_works(database, router):
    assert names(database) == ["m"]
    router.forget()
    stop, waited = threading.Event(), []

    def once():
        try:
            return names(database)
        except DependencyUnavailable as error:
            waited.append(str(error))
            raise

    assert retry.retry_while_unavailable(once, "x", stop) == ["m"]


def test_a_server_that_falls_silent_within_a_transaction_is_away(database, router):
    def write():
        with database.write() as conn:
            conn.execute(update(schema.metric).values(name="first"))
            router.forget()
            conn.execute(update(schema.metric).values(name="second"))

    with pytest.raises(RepositoryUnavailable):
        write()
    assert names(database) == ["m"]


def test_locks_of_a_connection_that_vanished_are_given_back(database, router):
    def write(name, before):
        with database.write() as conn:
            conn.execute(update(schema.metric).values(name=name))
            before()
            conn.scalar(select(METRIC.name))

    with pytest.raises(RepositoryUnavailable):
        write("lost", router.forget)
    retry.retry_while_unavailable(lambda: write("kept", lambda: None), "x", threading.Event())
    assert names(database) == ["kept"]


def test_a_statement_of_a_service_that_takes_too_long_is_ended(database):
    with pytest.raises(RepositoryUnavailable), database.read() as conn:
        conn.execute(text(SLEEP[database.dialect].format(60))).all()
    assert names(database) == ["m"]


def test_what_is_no_service_may_take_its_time(routed):
    database = open_database(routed)
    with database.read() as conn:
        conn.execute(text(SLEEP[database.dialect].format(1.5 * TIMEOUT_S))).all()
    database.close()


def test_a_connection_probes_whether_the_server_is_there(routed):
    database = open_database(routed)
    with database.engine.connect() as conn:
        driver = conn.connection.dbapi_connection
        fileno = driver.fileno() if database.dialect == "postgresql" else driver._sock.fileno()
        with socket.socket(fileno=fileno) as probed:
            options = {
                name: probed.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
                for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
            }
            keepalive = probed.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            probed.detach()
    database.close()
    assert options == {
        "TCP_KEEPIDLE": 1,
        "TCP_KEEPINTVL": 1,
        "TCP_KEEPCNT": 2,
        "TCP_USER_TIMEOUT": 2000,
    }
    assert keepalive == 1
