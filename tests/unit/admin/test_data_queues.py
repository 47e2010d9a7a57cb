"""The number of metric-data queues changes while samples come."""

import pytest

from htmengine import config
from htmengine.admin.data_queues import StillDraining, divide
from htmengine.bus import GateClosed, Outgoing, QueueNotFound
from htmengine.errors import MisuseError
from htmengine.repository import metrics, queue_layout
from htmengine.service.context import opened

DOCUMENTED = "htmengine.metric.custom.data"


@pytest.fixture
def settings(tmp_path):
    return config.embedded(tmp_path)


@pytest.fixture
def context(settings):
    with opened(settings) as context:
        yield context


def drained(context):
    """Let the new queues be stored from, as a storer does that found the end of the old ones."""
    with context.database.write() as conn:
        queue_layout.store(conn, queue_layout.read(conn)._replace(draining=0))
    context.queues.look_again()


def test_samples_go_into_the_new_queues_and_those_of_before_are_stored_from(settings, context):
    assert context.data_queues.stored == context.data_queues.open == (DOCUMENTED,)
    divide(context, 3)
    new = tuple(settings.data_queue(1, part) for part in range(3))
    assert (context.data_queues.open, context.data_queues.stored) == (new, (DOCUMENTED,))
    assert not context.data_queues.routed  # the storer still takes from the documented queue
    drained(context)
    assert (context.data_queues.open, context.data_queues.stored) == (new, new)
    assert context.data_queues.routed
    divide(context, 1)
    assert (context.data_queues.open, context.data_queues.stored) == ((DOCUMENTED,), new)
    assert not context.data_queues.routed  # the storer will take from it


def test_the_new_gate_opens_behind_the_old_one(context):
    old = context.data_queues
    divide(context, 2)
    new = context.data_queues
    context.bus.publish([Outgoing(DOCUMENTED, b"early")], gate=old.gate)
    with pytest.raises(GateClosed):
        context.bus.publish([Outgoing(new.parts[0], b"too early")], gate=new.gate)
    context.queues.ensure_open()
    with pytest.raises(GateClosed):
        context.bus.publish([Outgoing(DOCUMENTED, b"late")], gate=old.gate)
    context.bus.publish([Outgoing(new.parts[0], b"in time")], gate=new.gate)


def test_who_finds_its_gate_closed_publishes_to_the_new_queues(settings, context):
    with opened(settings) as other:
        divide(other, 2)
        other.queues.ensure_open()
    made = []

    def messages(queues):
        made.append(queues.epoch)
        return [Outgoing(queues.of_name("m"), b"sample")]

    context.queues.publish(context.bus, messages)
    assert made == [0, 1]
    assert context.bus.status([context.data_queues.of_name("m")])[0].ready == 1


def test_who_reads_of_a_change_before_anybody_closed_the_old_gate_closes_it(settings, context):
    old = context.data_queues
    divide(context, 2)
    with opened(settings), pytest.raises(GateClosed):
        context.bus.publish([Outgoing(DOCUMENTED, b"late")], gate=old.gate)


def test_a_second_change_waits_for_the_first(context):
    divide(context, 2)
    with pytest.raises(StillDraining, match="from 1 to 2"):
        divide(context, 4)
    assert divide(context, 2).epoch == 1  # it is so already
    drained(context)
    assert divide(context, 4).epoch == 2


@pytest.mark.parametrize("number", [0, 65])
def test_there_may_not_be_any_number(context, number):
    with pytest.raises(MisuseError, match="1 to 64"):
        divide(context, number)


def test_metrics_are_created_under_the_lock_of_their_queue(context):
    divide(context, 3)
    with context.database.write() as conn:
        assert len(metrics.create_custom(conn, [f"m{number}" for number in range(20)])) == 20


def test_who_knew_the_old_queues_lets_them_go(settings, context):
    """Or it would make them again, as what somebody deletes."""
    divide(context, 2)
    drained(context)
    with opened(settings) as other:
        old = other.data_queues.parts
        divide(context, 3)
        drained(context)
        assert other.queues.look_again().before == old
        with context.database.write() as conn:
            queue_layout.store(conn, queue_layout.read(conn)._replace(before=0))
        other.queues.look_again()
        assert context.bus.status(old) == []
        with pytest.raises(QueueNotFound):
            other.bus.publish([Outgoing(old[0], b"late")])
