"""A broker that falls silent: a router forgot the connections, and nobody is told."""

import threading

import msgspec
import pytest

from htmengine.bus import BusUnavailable, Outgoing
from htmengine.bus.rabbitmq.bus import RabbitBus
from htmengine.service import retry
from nta.utils.amqp.connection import ConnectionParams
from nta.utils.amqp.exceptions import AmqpConnectionError
from nta.utils.amqp.messages import BasicProperties, Message
from nta.utils.amqp.synchronous_amqp_client import SynchronousAmqpClient
from nta.utils.message_bus_connector import MessageBusConnector
from tests.support import silence

pytestmark = [pytest.mark.integration, pytest.mark.slow]

TIMEOUT_S = 2.0


@pytest.fixture
def router(broker):
    with silence.router(broker.host, broker.port) as router:
        yield router


@pytest.fixture
def routed(broker, router):
    return msgspec.structs.replace(broker, port=router.port, timeout_s=TIMEOUT_S)


@pytest.fixture
def bus(routed):
    bus = RabbitBus(routed)
    yield bus
    bus.close()


def again(action, waited):
    """Do it until the broker is there again, as services do; note why it was waited for."""

    def once():
        try:
            return action()
        except BusUnavailable as error:
            waited.append(str(error))
            raise

    return retry.retry_while_unavailable(once, "x", threading.Event())


def test_what_is_published_to_a_silent_broker_is_published_by_the_next_connection(bus, router):
    bus.declare_queue("q")
    bus.publish([Outgoing("q", b"before")])
    router.forget()
    waited = []
    again(lambda: bus.publish([Outgoing("q", b"after")]), waited)
    assert "no answer within 2 s" in waited[0]
    assert again(lambda: bus.status(["q"])[0].ready, []) == 2


def test_a_consumer_of_a_silent_broker_finds_out_and_goes_on(bus, router):
    bus.declare_queue("q")
    consumer = bus.consume(["q"])
    assert consumer.receive(max_messages=1, timeout_s=0.1) == []
    router.forget()
    waited, got = [], []
    while not got:
        if waited:
            again(lambda: bus.publish([Outgoing("q", b"after")]), [])
        got = again(lambda: consumer.receive(max_messages=1, timeout_s=1.0), waited)
    assert got[0].body == b"after"


def test_a_bus_is_closed_though_the_broker_is_silent(routed, router):
    bus = RabbitBus(routed)
    bus.declare_queue("q")
    bus.consume(["q"]).receive(max_messages=1, timeout_s=0.1)
    bus.publish([Outgoing("q", b"x")])
    router.forget(closed=True)
    bus.close()


@pytest.fixture
def client(routed):
    client = SynchronousAmqpClient(
        ConnectionParams(routed.host, routed.port, routed.virtual_host, timeoutSec=TIMEOUT_S)
    )
    yield client
    client.close()


@pytest.mark.parametrize(
    "act",
    [
        lambda client: client.declareQueue("q"),
        lambda client: client.publish(Message(b"x", BasicProperties()), "", "q"),
        lambda client: client.getOneMessage("q"),
        lambda client: client.getNextEvent(),
        lambda client: client.close(),
    ],
    ids=["declare", "publish", "get", "wait", "close"],
)
def test_the_synchronous_client_does_not_wait_for_a_silent_broker(client, router, act, request):
    client.declareQueue("q")
    client.enablePublisherAcks()
    client.createConsumer("q")
    router.forget()
    if request.node.callspec.id == "close":
        act(client)
    else:
        with pytest.raises(AmqpConnectionError, match="no answer within 2 s"):
            act(client)
    assert not client.isOpen()


def test_the_synchronous_client_waits_for_messages_as_long_as_the_broker_is_there(client):
    client.declareQueue("q")
    client.createConsumer("q")
    later = threading.Timer(
        2.5 * TIMEOUT_S, lambda: client._connection.add_callback_threadsafe(lambda: publish(client))
    )
    later.start()
    assert client.getNextEvent().body == b"late"


def publish(client):
    client._channel.basic_publish("", "q", b"late")


def test_the_connector_goes_on_with_another_connection(routed, router, tmp_path, monkeypatch):
    (tmp_path / "rabbitmq.conf").write_text(
        f"[connection]\nhost = {routed.host}\nport = {routed.port}\nvirtual_host = {routed.virtual_host}\n"
        f"timeout = {TIMEOUT_S}\n"
    )
    monkeypatch.setenv("APPLICATION_CONFIG_PATH", str(tmp_path))
    with MessageBusConnector() as connector:
        connector.createMessageQueue("q", durable=True)
        router.forget()
        connector.publish("q", b"x", persistent=True)
        router.forget()
        with connector.consume("q", blocking=False) as consumer:
            assert [message.body for message in consumer] == [b"x"]
