"""SynchronousAmqpClient on a real broker."""

import time
import uuid

import pytest

from nta.utils.amqp.connection import ConnectionParams, PlainCredentials, getRabbitmqConnectionParameters
from nta.utils.amqp.constants import AMQPDeliveryModes, AMQPErrorCodes
from nta.utils.amqp.consumer import ConsumerCancellation
from nta.utils.amqp.exceptions import AmqpChannelError, AmqpConnectionError, UnroutableError
from nta.utils.amqp.messages import BasicProperties, Message
from nta.utils.amqp.synchronous_amqp_client import SynchronousAmqpClient
from tests.servers import free_ports

pytestmark = pytest.mark.integration

TIMEOUT_S = 60.0


@pytest.fixture
def client(broker_config):
    with SynchronousAmqpClient(getRabbitmqConnectionParameters()) as client:
        yield client


@pytest.fixture
def queue(client):
    return client.declareQueue(f"test.{uuid.uuid4().hex}", durable=True, autoDelete=False).queue


def fetched(client, queue, count):
    """Return the bodies of so many messages; the broker puts refused ones back in its own time."""
    bodies = []
    deadline = time.monotonic() + TIMEOUT_S
    while len(bodies) < count and time.monotonic() < deadline:
        message = client.getOneMessage(queue, noAck=True)
        if message is None:
            time.sleep(0.01)
        else:
            bodies.append(message.body)
    return sorted(bodies)


def test_a_message_keeps_its_body_and_properties(client, queue):
    properties = BasicProperties(
        contentType="text/plain",
        headers={"dataType": "model-cmd-result", "number": 5},
        deliveryMode=AMQPDeliveryModes.PERSISTENT_MESSAGE,
        correlationId="c",
        messageId="m",
        timestamp=1_400_000_000,
        messageType="t",
    )
    client.publish(Message(b"body", properties), "", queue)
    message = client.getOneMessage(queue)
    assert (message.body, message.properties) == (b"body", properties)
    assert (message.methodInfo.routingKey, message.methodInfo.redelivered) == (queue, False)
    message.ack()
    assert client.getOneMessage(queue) is None


def test_a_fan_out_exchange_copies_to_every_bound_queue(client, queue):
    exchange = f"test.{uuid.uuid4().hex}"
    client.declareExchange(exchange, "fanout", durable=True)
    other = client.declareQueue("", exclusive=True).queue
    for name in (queue, other):
        client.bindQueue(name, exchange, "")
    client.publish(Message(b"to all"), exchange, "")
    assert [client.getOneMessage(name, noAck=True).body for name in (queue, other)] == [b"to all"] * 2
    client.unbindQueue(other, exchange, "")
    client.publish(Message(b"to one"), exchange, "")
    assert client.getOneMessage(other) is None
    client.deleteExchange(exchange)


def test_with_publisher_acks_a_mandatory_message_that_reaches_no_queue_raises_and_carries_it(client):
    client.enablePublisherAcks()
    with pytest.raises(UnroutableError) as caught:
        client.publish(Message(b"nowhere"), "", f"absent.{uuid.uuid4().hex}", mandatory=True)
    (returned,) = caught.value.messages
    assert returned.body == b"nowhere"
    assert returned.methodInfo.replyCode == 312


def test_a_refused_message_goes_back_into_its_queue_or_is_dropped(client, queue):
    client.publish(Message(b"again"), "", queue)
    client.getOneMessage(queue).nack(requeue=True)
    deadline = time.monotonic() + TIMEOUT_S
    while (message := client.getOneMessage(queue)) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert message.methodInfo.redelivered
    message.nack()
    assert client.getOneMessage(queue) is None


def test_a_channel_error_names_its_code_and_the_client_goes_on(client, queue):
    configured = []
    client._configure = configured.append
    with pytest.raises(AmqpChannelError) as caught:
        client.declareQueue(f"absent.{uuid.uuid4().hex}", passive=True)
    assert caught.value.code == AMQPErrorCodes.NOT_FOUND
    assert client.declareQueue(queue, passive=True).messageCount == 0
    assert configured == [client], "a new channel is configured like the first"


def test_a_consumer_gets_no_more_than_it_asked_for_until_it_acknowledges(client, queue):
    for number in range(5):
        client.publish(Message(b"%d" % number), "", queue)
    client.requestQoS(prefetchCount=2)
    consumer = client.createConsumer(queue)
    first, second = client.getNextEvent(), client.getNextEvent()
    assert not client.hasEvent()
    second.ack(multiple=True)
    assert [first.body, second.body, client.getNextEvent().body, client.getNextEvent().body] == [
        b"0",
        b"1",
        b"2",
        b"3",
    ]
    consumer.cancel()
    client.nackAll(requeue=True)
    assert fetched(client, queue, 3) == [b"2", b"3", b"4"]
    assert client.getOneMessage(queue) is None


def test_deleting_its_queue_cancels_a_consumer(client, queue):
    consumer = client.createConsumer(queue)
    client.deleteQueue(queue)
    assert client.getNextEvent() == ConsumerCancellation(consumer.tag)


@pytest.mark.slow
def test_a_broken_connection_is_said_so_and_closing_never_raises(client, queue, rabbitmq_server):
    rabbitmq_server.control("close_all_connections", "test")
    with pytest.raises(AmqpConnectionError):
        client.declareQueue(queue, passive=True)
    assert not client.isOpen()
    client.close()
    for use in (client.hasEvent, lambda: client.publish(Message(b"late"), "", queue)):
        with pytest.raises(AmqpConnectionError, match="the connection is closed"):
            use()


def test_a_message_to_an_exchange_that_is_not_there_is_an_error_of_what_comes_next(client, queue):
    for use in (client.hasEvent, client.getNextEvent, lambda: client.declareQueue(queue, passive=True)):
        client.publish(Message(b"lost"), f"absent.{uuid.uuid4().hex}", "")
        with pytest.raises(AmqpChannelError, match="no exchange 'absent") as caught:
            until_it_fails(use)
        assert caught.value.code == AMQPErrorCodes.NOT_FOUND
    client.publish(Message(b"kept"), "", queue)
    assert fetched(client, queue, 1) == [b"kept"]


def until_it_fails(use):
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        use()
        time.sleep(0.01)


def test_a_message_is_acknowledged_once(client, queue):
    client.publish(Message(b"once"), "", queue)
    message = client.getOneMessage(queue)
    message.ack()
    with pytest.raises(AmqpChannelError, match="acknowledged before"):
        message.ack()


def test_a_broker_that_refuses_a_password_is_said_so(client):
    where = getRabbitmqConnectionParameters()
    where.credentials = PlainCredentials("guest", "s3cret")
    with pytest.raises(AmqpConnectionError, match="refuses this user and password") as caught:
        SynchronousAmqpClient(where)
    assert "s3cret" not in str(caught.value)


def test_a_broker_that_is_not_there_is_a_connection_error():
    (port,) = free_ports(1)
    with pytest.raises(AmqpConnectionError, match="refused"):
        SynchronousAmqpClient(ConnectionParams(host="127.0.0.1", port=port))


def test_a_password_is_shown_nowhere(broker_config):
    assert "guest'" not in repr(getRabbitmqConnectionParameters()).replace("username='guest'", "")
