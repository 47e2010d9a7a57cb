"""Making, dropping and resetting an installation on servers."""

import msgspec

from htmengine import config, repository
from htmengine.adapters.datasource import createCustomDatasourceAdapter, using
from htmengine.bus import Outgoing
from htmengine.repository import databases, metrics
from htmengine.repository.engine import reading
from htmengine.runtime import resetting
from htmengine.runtime.installation import current


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
            repository.retryOnTransientErrors(resetting.create)(settings)
            resetting.create(settings)
            with using(settings):
                createCustomDatasourceAdapter().createMetric("m")
                current().bus.publish([Outgoing(settings.listener.queue, b"waits")])
            resetting.reset(settings)
            with using(settings):
                with reading(current().engine) as conn:
                    assert metrics.custom(conn) == []
                assert [queue.name for queue in current().bus.status() if queue.ready] == []
        finally:
            databases.drop(settings.repository)
            databases.drop(settings.repository)
