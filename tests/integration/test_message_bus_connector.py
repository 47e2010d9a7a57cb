"""MessageBusConnector on a real broker."""

import itertools
import ssl
import threading
import uuid

import pytest

from htmengine.errors import ConfigError
from nta.utils.amqp.connection import RabbitmqManagementConnectionParams, getRabbitmqConnectionParameters
from nta.utils.amqp.exceptions import AmqpConnectionError
from nta.utils.amqp.synchronous_amqp_client import SynchronousAmqpClient
from nta.utils.message_bus_connector import (
    ConsumerCancelled,
    MessageBusConnector,
    MessageProperties,
    MessageQueueNotFound,
)

pytestmark = pytest.mark.integration


@pytest.fixture
def bus(broker_config):
    with MessageBusConnector() as connector:
        yield connector


@pytest.fixture
def queue(bus):
    name = f"test.{uuid.uuid4().hex}"
    bus.createMessageQueue(name, durable=True)
    yield name
    bus.deleteMessageQueue(name)


def bodies(bus, queue):
    with bus.consume(queue, blocking=False) as messages:
        taken = list(messages)
        if taken:
            taken[-1].ack(multiple=True)
        return [message.body for message in taken]


def test_messages_come_out_in_the_order_they_went_in(bus, queue):
    for number in range(20):
        bus.publish(queue, f"message {number}", persistent=True)
    assert not bus.isEmpty(queue)
    assert bodies(bus, queue) == [f"message {number}".encode() for number in range(20)]
    assert bus.isEmpty(queue)


def test_what_was_not_acknowledged_comes_again(bus, queue):
    for body in (b"a", b"b", b"c"):
        bus.publish(queue, body, persistent=True)
    with bus.consume(queue) as messages:
        first = next(iter(messages))
        first.ack()
    with bus.consume(queue) as messages:
        again = list(itertools.islice(messages, 2))  # waits: the broker puts them back in its own time
        assert sorted(message.body for message in again) == [b"b", b"c"]
        again[-1].ack(multiple=True)
    assert bus.isEmpty(queue)


def test_a_queue_that_is_not_there_is_said_so(bus):
    absent = f"absent.{uuid.uuid4().hex}"
    assert not bus.isMessageQeueuePresent(absent)
    for action in (
        lambda: bus.publish(absent, b"lost?", persistent=True),
        lambda: bus.purge(absent),
        lambda: bus.isEmpty(absent),
        lambda: bus.consume(absent),
    ):
        with pytest.raises(MessageQueueNotFound, match=absent):
            action()
    bus.deleteMessageQueue(absent)


def test_an_empty_name_is_refused(bus):
    with pytest.raises(ValueError, match="empty"):
        bus.publish("", b"body", persistent=True)


def test_creating_a_queue_again_keeps_its_messages_and_purging_drops_them(bus, queue):
    bus.publish(queue, b"kept", persistent=True)
    bus.createMessageQueue(queue, durable=True)
    assert not bus.isEmpty(queue)
    bus.purge(queue)
    assert bus.isEmpty(queue)


def test_a_mandatory_message_that_reaches_no_queue_is_reported_and_another_is_not(bus):
    absent = f"absent.{uuid.uuid4().hex}"
    assert bus.publishExg("", absent, b"body", mandatory=True) is False
    assert bus.publishExg("", absent, b"body", MessageProperties(headers={"dataType": "x"})) is True


def test_a_blocking_consumer_waits_for_the_next_message(bus, queue):
    def publish():
        with MessageBusConnector() as other:
            other.publish(queue, b"late", persistent=False)

    with bus.consume(queue) as messages:
        threading.Timer(0.3, publish).start()
        message = next(iter(messages))
        message.ack()
        assert message.body == b"late"


def test_deleting_the_queue_ends_its_consumer(bus, queue):
    bus.publish(queue, b"first", persistent=True)
    with bus.consume(queue) as messages:
        iterator = iter(messages)
        next(iterator).ack()
        bus.deleteMessageQueue(queue)
        with pytest.raises(ConsumerCancelled, match=queue):
            next(iterator)


def test_a_message_of_a_broken_connection_is_delivered_again_and_its_late_ack_harms_nobody(
    bus, queue, rabbitmq_server
):
    bus.publish(queue, b"once more", persistent=True)
    with bus.consume(queue) as messages:
        iterator = iter(messages)
        before = next(iterator)
        rabbitmq_server.control("close_all_connections", "test")
        again = next(iterator)
        before.ack()
        again.ack()
        assert again.body == before.body == b"once more"
    assert bus.isEmpty(queue)


def test_the_management_interface_lists_the_queues(bus, queue):
    assert queue in bus.getAllMessageQueues()


def test_over_tls_the_brokers_certificate_is_checked(encrypted_broker_config):
    queue = f"test.{uuid.uuid4().hex}"
    with MessageBusConnector() as bus:
        bus.createMessageQueue(queue, durable=True)
        bus.publish(queue, b"secret", persistent=True)
        assert bodies(bus, queue) == [b"secret"]
        assert queue in bus.getAllMessageQueues()
        bus.deleteMessageQueue(queue)
    where = getRabbitmqConnectionParameters()
    assert RabbitmqManagementConnectionParams().sslContext is not None
    where.sslContext = ssl.create_default_context()
    with pytest.raises(AmqpConnectionError, match="certificate"):
        SynchronousAmqpClient(where)


def test_a_certificate_that_cannot_be_read_is_named_at_once(encrypted_broker_config):
    path = encrypted_broker_config / "rabbitmq.conf"
    path.write_text(path.read_text().replace("localhost.pem", "absent.pem"))
    with MessageBusConnector() as bus, pytest.raises(ConfigError, match=r"absent\.pem"):
        bus.createMessageQueue("any", durable=True)
