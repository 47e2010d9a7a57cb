"""What errors of the broker's mean."""

import pytest
from pika.exceptions import ChannelClosedByBroker

from htmengine.bus import BusUnavailable, ExchangeNotFound, QueueNotFound
from htmengine.bus.rabbitmq.channel import Channel, ChannelClosed


class Raw:
    """Pika's channel, as far as it is used."""

    def add_on_close_callback(self, callback):
        self.on_close = callback

    def add_on_cancel_callback(self, callback):
        pass

    def add_callback(self, callback, replies, one_shot):
        pass


class Connection:
    """A connection without a broker, that does everything at once."""

    where = "RabbitMQ at here:5672"
    lost = blocked = None
    timeout_s = 60.0

    def later(self, action):
        action()

    def raw_channel(self, opened):
        raw = Raw()
        opened(raw)
        return raw


@pytest.mark.parametrize(
    ("code", "text", "error"),
    [
        (404, "NOT_FOUND - no queue 'q' in vhost '/'", QueueNotFound),
        (404, "NOT_FOUND - no exchange 'e' in vhost '/'", ExchangeNotFound),
        (404, "NOT_FOUND - home node 'a@b' of durable queue 'q' is down or inaccessible", BusUnavailable),
        (404, "NOT_FOUND - failed to perform operation on queue 'no queue' due to timeout", BusUnavailable),
        (406, "PRECONDITION_FAILED - inequivalent arg 'x'", ChannelClosed),
    ],
)
def test_a_queue_that_does_not_serve_now_is_not_one_that_is_missing(code, text, error):
    channel = Channel(Connection())
    with pytest.raises(error, match=text.partition(" - ")[2]) as caught:
        channel.ask(lambda raw, answer: raw.on_close(raw, ChannelClosedByBroker(code, text)))
    assert type(caught.value) is error
    assert not channel.is_open
