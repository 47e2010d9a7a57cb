"""The number of metric-data queues changes while nothing waits in them and nobody takes from them."""

import msgspec
import pytest

from htmengine import config
from htmengine.admin.data_queues import QueuesInUse, divide
from htmengine.bus import Outgoing
from htmengine.repository import metrics
from htmengine.service.context import opened


@pytest.fixture
def settings(tmp_path):
    return config.embedded(tmp_path)


def having(settings, number):
    return msgspec.structs.replace(settings, data_queues=number)


def test_a_number_that_is_said_becomes_that_of_the_installation(settings):
    with opened(settings) as context:
        assert context.data_queues.stored == ("htmengine.metric.custom.data",)
        assert divide(settings, context.database) == 1
        assert divide(having(settings, 3), context.database) == 3
    with opened(settings) as context:
        assert context.data_queues.stored == tuple(settings.data_queue(part) for part in range(3))
        assert divide(settings, context.database) == 3
        with context.database.write() as conn:  # each name under the lock of its queue
            assert len(metrics.create_custom(conn, [f"m{number}" for number in range(20)])) == 20
        assert divide(having(settings, 1), context.database) == 1


def test_it_stays_while_samples_wait(settings):
    with opened(settings) as context:
        divide(having(settings, 2), context.database)
    with opened(settings) as context:
        context.bus.publish([Outgoing(context.data_queues.parts[1], b"waits")])
        with pytest.raises(QueuesInUse, match="1 messages wait"):
            divide(having(settings, 4), context.database)


def test_it_stays_while_a_storer_runs(settings):
    with opened(settings) as context:
        with (
            context.bus.consume(context.data_queues.stored),
            pytest.raises(QueuesInUse, match="a storer runs"),
        ):
            divide(having(settings, 4), context.database)
        assert divide(settings, context.database) == 1
