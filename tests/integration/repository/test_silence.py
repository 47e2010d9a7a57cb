"""A database server that falls silent: a router forgot the connection, and nobody is told."""

import socket
import threading

import msgspec
import pytest
from sqlalchemy import select, text, update

from htmengine.errors import DependencyUnavailable
from htmengine.repository import metrics, migrations, schema
from htmengine.repository.engine import open_engine, reading, writing
from htmengine.repository.errors import RepositoryUnavailable
from htmengine.service import retry
from tests import databases
from tests.support import silence

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
def engine(routed):
    """Give the engine of a service, behind a router, with one metric."""
    engine = open_engine(routed, serving=True)
    migrations.upgrade(engine, 1)
    with writing(engine) as conn:
        metrics.create_custom(conn, ["m"])
    yield engine
    engine.dispose()


def names(engine):
    with reading(engine) as conn:
        return list(conn.scalars(select(METRIC.name)))


def test_a_silent_server_is_said_to_be_away_and_the_next_connection_works(engine, router):
    assert names(engine) == ["m"]
    router.forget()
    stop, waited = threading.Event(), []

    def once():
        try:
            return names(engine)
        except DependencyUnavailable as error:
            waited.append(str(error))
            raise

    assert retry.retry_while_unavailable(once, "x", stop) == ["m"]


def test_a_server_that_falls_silent_within_a_transaction_is_away(engine, router):
    def write():
        with writing(engine) as conn:
            conn.execute(update(schema.metric).values(name="first"))
            router.forget()
            conn.execute(update(schema.metric).values(name="second"))

    with pytest.raises(RepositoryUnavailable):
        write()
    assert names(engine) == ["m"]


def test_locks_of_a_connection_that_vanished_are_given_back(engine, router):
    def write(name, before):
        with writing(engine) as conn:
            conn.execute(update(schema.metric).values(name=name))
            before()
            conn.scalar(select(METRIC.name))

    with pytest.raises(RepositoryUnavailable):
        write("lost", router.forget)
    retry.retry_while_unavailable(lambda: write("kept", lambda: None), "x", threading.Event())
    assert names(engine) == ["kept"]


def test_a_statement_of_a_service_that_takes_too_long_is_ended(engine):
    with pytest.raises(RepositoryUnavailable), reading(engine) as conn:
        conn.execute(text(SLEEP[engine.dialect.name].format(60))).all()
    assert names(engine) == ["m"]


def test_what_is_no_service_may_take_its_time(routed):
    engine = open_engine(routed)
    with reading(engine) as conn:
        conn.execute(text(SLEEP[engine.dialect.name].format(1.5 * TIMEOUT_S))).all()
    engine.dispose()


def test_a_connection_probes_whether_the_server_is_there(routed):
    engine = open_engine(routed)
    with engine.connect() as conn:
        driver = conn.connection.dbapi_connection
        fileno = driver.fileno() if engine.dialect.name == "postgresql" else driver._sock.fileno()
        with socket.socket(fileno=fileno) as probed:
            options = {
                name: probed.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
                for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
            }
            keepalive = probed.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            probed.detach()
    engine.dispose()
    assert options == {
        "TCP_KEEPIDLE": 1,
        "TCP_KEEPINTVL": 1,
        "TCP_KEEPCNT": 2,
        "TCP_USER_TIMEOUT": 2000,
    }
    assert keepalive == 1
