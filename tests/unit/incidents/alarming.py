"""Alarms put into a repository, and the incidents that come of them."""

from collections import defaultdict

import msgspec
from sqlalchemy import insert, select, update

from htmengine.incidents.grouping import Alarm
from htmengine.incidents.writer import Writer
from htmengine.messages import Why
from htmengine.repository import metrics, schema
from htmengine.repository.status import MetricStatus
from htmengine.repository.times import from_epoch

BEGIN = 1_700_000_000
WHY = Why(
    cause="error",
    channel="deviation",
    forecast=410.0,
    usual=(380.0, 455.0),
    foreseen=[],
    alarms_before=0,
    last_alarm=None,
)


class Clock:
    """A clock and a timer that stand still until they are moved."""

    def __init__(self, now=BEGIN):
        self.now = now

    def __call__(self):
        return self.now


def create(database, names):
    """Create monitored metrics and return their uids by name."""
    with database.write() as conn:
        uids = metrics.create_custom(conn, names)
        conn.execute(update(schema.metric).values(status=MetricStatus.ACTIVE))
    return uids


def alarm(database, uid, after_s, *, rowid=None, score=0.6, value=932.0, why=WHY):
    """Store an alarm; its row is numbered by its second."""
    with database.write() as conn:
        rowid = after_s + 1 if rowid is None else rowid
        conn.execute(
            insert(schema.metric_alarm).values(
                uid=uid,
                rowid=rowid,
                first_rowid=rowid,
                timestamp=from_epoch(BEGIN + after_s),
                metric_value=value,
                log_score=score,
                peak=score,
                cause=why and why.cause,
                direction="up",
                why=why and msgspec.json.encode(why).decode(),
            )
        )


def writer(database, clock=None, timer=None, **options):
    """Return a writer whose clocks stand still."""
    return Writer(database, clock=clock or Clock(), timer=timer or Clock(0.0), **options)


def work(one):
    """Let a writer work until nothing is left."""
    while one.work():
        pass


def members(database):
    """Return, by incident, the alarms that are in it, as (uid, rowid)."""
    column = schema.incident_alarm.c
    found = defaultdict(set)
    with database.read() as conn:
        for uid, rowid, incident in conn.execute(select(column.uid, column.rowid, column.incident)):
            found[incident].add((uid, rowid))
    return dict(found)


def as_grouped(uid, name, after_s, interval_s=60.0):
    """Return an alarm as grouping sees it."""
    return Alarm(uid, after_s + 1, name, BEGIN + after_s, interval_s)
