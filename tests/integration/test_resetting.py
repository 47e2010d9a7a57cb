"""Making, dropping and resetting an installation on servers."""

from contextlib import contextmanager

import msgspec
import pytest
from sqlalchemy import create_engine

from htmengine import config, repository
from htmengine.adapters.datasource import createCustomDatasourceAdapter, using
from htmengine.admin import reset
from htmengine.bus import Outgoing
from htmengine.repository import metrics, provisioning
from htmengine.repository.server import server_url
from htmengine.service.installation import current
from tests.unit.bus.contract import becomes

pytestmark = pytest.mark.integration

MAKES_DATABASES = {
    "mysql": ["CREATE USER IF NOT EXISTS maker", "GRANT ALL ON made.* TO maker"],
    "postgresql": ["DROP ROLE IF EXISTS maker", "CREATE ROLE maker LOGIN CREATEDB"],
}

IS_VACUUMED = "SELECT count(*) FROM pg_stat_progress_vacuum WHERE datname = 'made'"


@pytest.mark.slow
def test_an_installation_on_servers_is_made_and_reset(database_server, rabbitmq_server):
    address = rabbitmq_server.address
    with rabbitmq_server.virtual_host() as virtual_host:
        settings = config.Settings(
            bus="rabbitmq",
            broker=config.Broker(host=address.host, port=address.port, virtual_host=virtual_host),
            repository=msgspec.structs.replace(database_server, db="to_be_reset"),
            checkpoint_store="repository",
            shards=2,
        )
        try:
            # A test before this one may have killed a process of the server, which then takes its time.
            repository.retryOnTransientErrors(reset.create)(settings)
            reset.create(settings)
            with using(settings):
                createCustomDatasourceAdapter().createMetric("m")
                current().bus.publish([Outgoing(settings.listener.queue, b"waits")])
            reset.reset(settings)
            with using(settings):
                with current().database.read() as conn:
                    assert metrics.custom(conn) == []
                assert [queue.name for queue in current().bus.status() if queue.ready] == []
        finally:
            provisioning.drop(settings.repository)
            provisioning.drop(settings.repository)


@contextmanager
def administration(server):
    engine = create_engine(server_url(server, database=False), isolation_level="AUTOCOMMIT")
    with engine.connect() as conn:
        yield conn
    engine.dispose()


def of_a_user_that_makes_databases(server):
    with administration(server) as conn:
        for statement in MAKES_DATABASES[server.dialect]:
            conn.exec_driver_sql(statement)
    return msgspec.structs.replace(server, user="maker", passwd="", db="made")


def test_a_user_without_a_database_of_its_own_name_makes_one(database_server):
    made = of_a_user_that_makes_databases(database_server)
    try:
        reset.create(config.Settings(repository=made))
        engine = repository.getUnaffiliatedEngine(made)
        with engine.connect() as conn:
            assert conn.exec_driver_sql("SELECT 1").scalar() == 1
        engine.dispose()
    finally:
        provisioning.drop(made)


@pytest.mark.slow
def test_an_owner_drops_a_database_that_the_server_vacuums_and_that_others_use(postgresql_server):
    server = postgresql_server.settings()
    made = of_a_user_that_makes_databases(server)
    provisioning.create(made)
    used = create_engine(server_url(made), isolation_level="AUTOCOMMIT")
    with administration(server) as conn, used.connect() as user:
        user.exec_driver_sql(
            "CREATE TABLE vacuumed WITH (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_cost_limit = 1,"
            " autovacuum_vacuum_cost_delay = 100) AS SELECT i FROM generate_series(1, 100000) AS i"
        )
        user.exec_driver_sql("DELETE FROM vacuumed")
        conn.exec_driver_sql("ALTER SYSTEM SET autovacuum_naptime = '1s'")
        try:
            conn.exec_driver_sql("SELECT pg_reload_conf()")
            becomes(lambda: conn.exec_driver_sql(IS_VACUUMED).scalar(), 1)
            provisioning.drop(made)
        finally:
            conn.exec_driver_sql("ALTER SYSTEM RESET autovacuum_naptime")
            conn.exec_driver_sql("SELECT pg_reload_conf()")
        assert not conn.exec_driver_sql("SELECT 1 FROM pg_database WHERE datname = 'made'").scalar()
    used.dispose()
