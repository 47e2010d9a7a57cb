"""The message bus connector on the engine's own bus."""

import threading

import pytest

from htmengine.config import templates
from nta.utils.bus_connections import embedded
from nta.utils.message_bus_connector import (
    ConsumerCancelled,
    MessageBusConnector,
    MessageProperties,
    MessageQueueNotFound,
)


@pytest.fixture
def bus(tmp_path, monkeypatch):
    templates.write(tmp_path, "app")
    monkeypatch.setenv("APPLICATION_CONFIG_PATH", str(tmp_path / "conf"))
    with MessageBusConnector() as connector:
        connector.createMessageQueue("q", durable=True)
        yield connector


def test_messages_come_out_in_order_and_are_gone_when_they_are_acknowledged(bus):
    for number in range(5):
        bus.publish("q", f"message {number}", persistent=True)
    assert not bus.isEmpty("q")
    with bus.consume("q", blocking=False) as messages:
        taken = list(messages)
        assert [message.body for message in taken] == [b"message %d" % number for number in range(5)]
        taken[2].ack(multiple=True)
    with bus.consume("q", blocking=False) as messages:
        again = messages.pollOneMessage()
        assert again.body == b"message 3"
        again.ack()
        messages.pollOneMessage().ack()
        assert messages.pollOneMessage() is None
    assert bus.isEmpty("q")


def test_a_queue_that_is_not_there_is_said_so(bus):
    assert bus.getAllMessageQueues() == ("q",)
    assert not bus.isMessageQeueuePresent("absent")
    for action in (
        lambda: bus.publish("absent", b"lost?", persistent=True),
        lambda: bus.purge("absent"),
        lambda: bus.isEmpty("absent"),
        lambda: bus.consume("absent"),
    ):
        with pytest.raises(MessageQueueNotFound, match="absent"):
            action()
    bus.deleteMessageQueue("absent")


def test_a_blocking_consumer_waits_and_ends_with_its_queue(bus, monkeypatch):
    monkeypatch.setattr(embedded, "WAIT_S", 0.05)
    with bus.consume("q") as messages:
        iterator = iter(messages)
        threading.Timer(0.1, lambda: bus.publish("q", b"late", persistent=True)).start()
        message = next(iterator)
        message.ack()
        assert message.body == b"late"
        bus.deleteMessageQueue("q")
        with pytest.raises(ConsumerCancelled, match="q"):
            next(iterator)


def test_an_exchange_copies_with_headers_and_a_mandatory_message_that_reaches_nobody_is_reported(bus):
    bus._connection._bus.declare_exchange("results")
    assert bus.publishExg("results", "", b"nobody", mandatory=True) is False
    bus._connection._bus.bind("q", "results")
    properties = MessageProperties(headers={"dataType": "model-cmd-result"})
    assert bus.publishExg("results", "", b"somebody", properties, mandatory=True) is True
    with bus._connection._bus.consume(["q"]) as consumer:
        (delivery,) = consumer.receive(max_messages=9, timeout_s=5)
        assert (delivery.body, dict(delivery.headers)) == (b"somebody", {"dataType": "model-cmd-result"})


def test_a_consumer_that_was_left_open_is_closed_with_a_word(bus, caplog):
    consumer = bus.consume("q")
    bus.close()
    assert "consumer of q was left open" in caplog.text
    consumer.close()
