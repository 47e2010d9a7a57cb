"""A fleet whose metrics alarm as a test says, the writers of incidents and alerts, and targets that answer as it says."""

import threading
from collections import deque

from htmengine.alerts import deliveries, notice
from htmengine.alerts.rules import Rules, default_rule
from htmengine.alerts.sender import Sender
from htmengine.alerts.targets.api import Delivered
from htmengine.alerts.writer import Writer
from htmengine.incidents import actions, store
from htmengine.incidents.actions import Action
from tests.unit.incidents import alarming
from tests.unit.incidents.alarming import BEGIN, Clock

NAMES = [f"{service}.{number}" for service in ("web", "db", "mq", "dns") for number in range(4)]


class FakeTarget:
    """Notes what it is given. It takes everything, but for what `answers` says of the next ones."""

    kind = "fake"

    def __init__(self, name, answers=(), repeat_s=None, repeat_resolved_s=0.0):
        self.name = name
        self.answers = deque(answers)
        self.always = Delivered()
        self.repeat_s = repeat_s
        self.repeat_resolved_s = repeat_resolved_s
        self.given = []
        """Every notice that it was given, taken or not."""
        self.taken = []
        self.closed = False
        self.free = threading.Event()
        self.free.set()

    def send(self, given):
        self.free.wait(30)
        self.given.append(given)
        answer = self.answers.popleft() if self.answers else self.always
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Delivered):
            self.taken.append(given)
        return answer

    def describe(self):
        return {}

    def close(self):
        self.closed = True

    def kinds(self):
        """Return what it was told of each incident, in order."""
        return [(one.incident, one.kind) for one in self.taken]


class World:
    def __init__(self, database):
        self.database = database
        self.clock = Clock(BEGIN)
        self.timer = Clock(0.0)
        self.uids = alarming.create(database, NAMES)
        self.incidents = alarming.writer(database, self.clock, self.timer)
        self.targets = {}
        self.rules = Rules()
        self.page = None
        self.begin()

    def begin(self, step=lambda name: None):
        """Begin with services that know nothing yet."""
        self.writer = Writer(
            self.database, self.rules, page=self.page, clock=self.clock, timer=self.timer, step=step
        )
        self.sender = Sender(
            self.database,
            self.targets,
            stop=threading.Event(),
            clock=self.clock,
            timer=self.timer,
            step=step,
            draw=lambda: 0.5,
        )

    def use(self, *targets, rules=None):
        """Tell these targets, by these rules or the default one."""
        self.targets = {target.name: target for target in targets}
        self.rules = rules or Rules((default_rule(list(self.targets)),))
        self.writer.follow(self.rules)
        self.sender.use(self.targets)

    def alarm(self, name, after_s, **how):
        alarming.alarm(self.database, self.uids[name], after_s, **how)

    def incident(self, after_s=0, service="web"):
        """Let two metrics of a service alarm together."""
        self.alarm(f"{service}.0", after_s)
        self.alarm(f"{service}.1", after_s + 1)

    def at(self, after_s):
        """Let it be so many seconds after the beginning."""
        self.timer.now += BEGIN + after_s - self.clock.now
        self.clock.now = BEGIN + after_s

    def write(self):
        """Bring incidents and what is due of them up to now."""
        alarming.work(self.incidents)
        while self.writer.work():
            pass

    def work(self, after_s=None):
        """Do everything that is due; at a time, if one is given."""
        if after_s is not None:
            self.at(after_s)
        self.write()
        while self.send():
            pass

    def send(self):
        """Let each target be given what is due, as it is read once; return whether any was."""
        before = sum(len(target.given) for target in self.targets.values())
        self.sender.work()
        assert self.sender.wait(30)
        return sum(len(target.given) for target in self.targets.values()) > before

    def act(self, kind, incident=1, **what):
        with self.database.write() as conn:
            actions.act(conn, incident, Action(kind, int(self.clock.now), "ann", **what))

    def rows(self, **which):
        """Return what is in the outbox, the oldest first."""
        with self.database.read() as conn:
            return deliveries.list_deliveries(conn, limit=1000, **which)[::-1]

    def states(self):
        return [(row.target, row.kind, row.state) for row in self.rows()]

    def shown(self, id_="i1"):
        with self.database.read() as conn:
            return store.get_incident(conn, id_)

    def close(self):
        for target in self.targets.values():
            if isinstance(target, FakeTarget):
                target.free.set()
        self.sender.close()


def stored(row):
    """Return the notice in a row."""
    return notice.decode(row.notice)
