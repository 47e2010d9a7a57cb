"""Making, dropping and resetting an installation on servers."""

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

pytestmark = pytest.mark.integration

MAKES_DATABASES = {
    "mysql": ["CREATE USER IF NOT EXISTS maker", "GRANT ALL ON made.* TO maker"],
    "postgresql": ["DROP ROLE IF EXISTS maker", "CREATE ROLE maker LOGIN CREATEDB"],
}


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


def test_a_user_without_a_database_of_its_own_name_makes_one(database_server):
    administration = create_engine(server_url(database_server, database=False), isolation_level="AUTOCOMMIT")
    with administration.connect() as conn:
        for statement in MAKES_DATABASES[database_server.dialect]:
            conn.exec_driver_sql(statement)
    administration.dispose()
    made = msgspec.structs.replace(database_server, user="maker", passwd="", db="made")
    try:
        reset.create(config.Settings(repository=made))
        engine = repository.getUnaffiliatedEngine(made)
        with engine.connect() as conn:
            assert conn.exec_driver_sql("SELECT 1").scalar() == 1
        engine.dispose()
    finally:
        provisioning.drop(made)
