"""The agent that sends queue depths, on a broker."""

import time

import pytest

from htmengine.monitors import rmq_metric_collector_agent as agent
from nta.utils.message_bus_connector import MessageBusConnector
from tests.acceptance.engine import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("rabbitmq")]


@pytest.mark.parametrize("configured", ["broker_config", "encrypted_broker_config"])
def test_the_depths_of_queues_of_the_configured_broker_are_printed(request, configured, capsys):
    request.getfixturevalue(configured)
    with MessageBusConnector() as bus:
        bus.createMessageQueue("depth", durable=True)
        for _ in range(3):
            bus.publish("depth", "waits", persistent=True)
        command = ["--dryrun", "--rmq-queues", "depth", "--metric-prefix", "app"]

        def reported():
            agent.main(command)
            lines = [line.split() for line in capsys.readouterr().out.splitlines()]
            return lines if ["app-q-depth-ready.avg", "3"] in [line[:2] for line in lines] else None

        before = int(time.time())
        first = wait_until(reported, "the broker's statistics")[0]
        assert first[0] == "app-allq-ready.avg"
        assert int(first[1]) >= 3
        assert int(first[2]) >= before
        bus.deleteMessageQueue("depth")
