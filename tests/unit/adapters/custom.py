"""Custom metrics: specifications of them, their rows, and what became of both."""

import msgspec
from sqlalchemy import func, select

from htmengine import messages
from htmengine.adapters.datasource import CustomAdapter
from htmengine.model_swapper import definition
from htmengine.repository import metrics, samples, schema

START = 1_386_201_600


def spec(metric: str = "cpu.load", **more) -> dict:
    return {"datasource": "custom", "metricSpec": {"metric": metric}, **more}


def nupic_model(context, name: str = "nupic") -> CustomAdapter:
    scheduler = msgspec.structs.replace(context.settings.scheduler, model=name)
    settings = msgspec.structs.replace(context.settings, scheduler=scheduler)
    return CustomAdapter(context.database, context.bus, settings)


def add_rows(context, uid: str, values, *, start: int = START, step: int = 300) -> None:
    with context.database.write() as conn:
        last = metrics.states(conn, [uid])[uid].last_rowid
        count = len(values)
        times = [start + step * (last + i) for i in range(count)]
        samples.append(conn, [uid] * count, range(last + 1, last + count + 1), times, values)
        assert samples.advance_last(conn, [samples.Advance(uid, last, last + count, times[-1])]) == 1


def state(context, uid: str) -> metrics.MetricState:
    with context.database.read() as conn:
        return metrics.states(conn, [uid])[uid]


def row(context, uid: str):
    with context.database.read() as conn:
        return conn.execute(select(schema.metric).where(schema.metric.c.uid == uid)).one()


def parameters(context, uid: str):
    return definition.parse(row(context, uid).model_params)


def metric_count(context) -> int:
    with context.database.read() as conn:
        return conn.scalar(select(func.count()).select_from(schema.metric))


def commands(context) -> list[messages.ModelInput]:
    """What the scheduler was sent since the last look."""
    queues = [context.settings.model_input_queue(shard) for shard in range(context.shards)]
    found = []
    with context.bus.consume(queues) as consumer:
        while received := consumer.receive(max_messages=100, timeout_s=0):
            found += [one for it in received for one in messages.decode_model_input(it.body)]
            consumer.ack(received)
    return found
