"""Notices of incidents while the engine is killed and the receiver is away: none may be missing, and none told as another one.

    python -m tests.acceptance.alert_kills --kills 20

An engine tells a webhook. Again and again an incident begins, and one that was told is resolved; meanwhile the engine is killed
at a step of its own or at any moment, and some of the time the receiver answers 503. In the end each incident must have one
notice that it opened and one that it is over. A notice may come again only with the same `webhook-id` and the same content.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.running import Engine, free_port
from htmengine import config
from htmengine.incidents import actions, store
from htmengine.incidents.actions import Action
from htmengine.incidents.ids import number_of
from htmengine.repository import migrations
from htmengine.repository.database import Database
from htmengine.repository.opening import open_database
from htmengine.service.fault_injection import KILL_VARIABLE
from htmengine.service.lease import TAKE_OVER_S
from tests.unit.alerts.targets.receiving import HttpReceiver, Request
from tests.unit.incidents import alarming

STEPS: Final = (
    "alerts.stored",
    "alerts.committed",
    "alerts.sent",
    "alerts.note_stored",
    "alerts.noted",
    None,
)
"""Where the engine is killed, in turn; None: at any moment."""
APART_S: Final = 1500
"""Between two incidents, by their samples: they do not belong together."""
WITHIN_S: Final = 300.0
STEP_WITHIN_S: Final = 60.0
OK: Final = (200, {}, b"")
AWAY: Final = (503, {}, b"")


class Verdict(NamedTuple):
    """What became of it."""

    incidents: int
    killed_at: list[str]
    requests: int
    """That the receiver was given while it took them."""
    repeated: int
    """Of these, how many it had already."""
    refused: int
    """That it did not take."""
    faults: list[str]


def run(folder: Path, *, kills: int, away_every: int = 3, seed: int = 1) -> Verdict:
    """Kill an engine again and again, and return what its receiver got.

    Parameters
    ----------
    away_every : in each so manieth round the receiver is away for a while.
    """
    chance = random.Random(seed)
    receiver = HttpReceiver()
    (folder / "alerts.toml").write_text(
        f'[targets.ops]\nkind = "webhook"\nurl = "{receiver.url}/"\n[[rules]]\nname = "all"\n'
    )
    database = open_database(config.Repository(path=folder / "repository.sqlite"))
    try:
        migrations.upgrade(database, shards=1)
        incidents = _Incidents(database, kills + 1)
        engine = Engine(folder, free_port(), http_port=0)
        killed_at: list[str] = []
        known: set[str] = set()
        for kill in range(kills):
            step = STEPS[kill % len(STEPS)]
            engine.start({KILL_VARIABLE: f"{step}:1"} if step else None)
            away = kill % away_every == away_every - 1
            receiver.always = AWAY if away else OK
            incidents.begin()
            # Those of the last round may have been told, and not noted as such.
            incidents.resolve(known)
            known = _reported(receiver, "opened")
            if not step or not _died(engine, STEP_WITHIN_S):
                # A service that follows one that was killed has to wait for the lease of that.
                engine.wait_until_it_listens()
                time.sleep(chance.uniform(0, 1.5 * TAKE_OVER_S))
                engine.kill()
                step = None
            killed_at.append(step or "any moment")
        receiver.always = OK
        engine.start()
        incidents.begin()
        try:
            _wait(lambda: len(_reported(receiver, "opened")) >= incidents.begun or not engine.running)
            incidents.resolve(_reported(receiver, "opened"))
            _wait(lambda: len(_reported(receiver, "resolved")) >= incidents.begun or not engine.running)
            time.sleep(2.0)  # for what should not come
        finally:
            engine.kill()
        return _verdict(receiver, incidents.ids(), killed_at)
    finally:
        database.close()
        receiver.close()


class _Incidents:
    """Makes incidents begin, by alarms put into the repository, and resolves them as a person does."""

    def __init__(self, database: Database, count: int) -> None:
        self.begun = 0
        self._database = database
        names = [f"service{number}.{part}" for number in range(count) for part in ("a", "b")]
        self._uids = alarming.create(database, names)
        self._first = int(time.time()) - alarming.BEGIN
        self._resolved: set[str] = set()

    def begin(self) -> None:
        """Let the next incident begin."""
        for second, part in enumerate(("a", "b")):
            uid = self._uids[f"service{self.begun}.{part}"]
            alarming.alarm(self._database, uid, self._first + APART_S * self.begun + second)
        self.begun += 1

    def resolve(self, ids: set[str]) -> None:
        """Resolve incidents that were not yet."""
        for id_ in sorted(ids - self._resolved):
            with self._database.write() as conn:
                actions.act(conn, number_of(id_) or 0, Action("resolve", int(time.time()), "ann"))
        self._resolved |= ids

    def ids(self) -> set[str]:
        """Return the ids of all that began."""
        with self._database.read() as conn:
            return {one["id"] for one in store.list_incidents(conn, limit=1000)}


def _reported(receiver: HttpReceiver, kind: str) -> set[str]:
    return {
        request.json["data"]["incident"]["id"]
        for request in _taken(receiver)
        if request.json["type"] == f"incident.{kind}"
    }


def _taken(receiver: HttpReceiver) -> list[Request]:
    return [request for request in receiver.requests if request.status == OK[0]]


def _died(engine: Engine, within_s: float) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        engine.wait(within_s)
        return True
    return False


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)


def _verdict(receiver: HttpReceiver, incidents: set[str], killed_at: list[str]) -> Verdict:
    taken = _taken(receiver)
    by_id: defaultdict[str, list[Request]] = defaultdict(list)
    ids: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for request in taken:
        id_ = {key.lower(): value for key, value in request.headers.items()}["webhook-id"]
        by_id[id_].append(request)
        said: Any = request.json
        ids[said["data"]["incident"]["id"], said["type"].removeprefix("incident.")].add(id_)
    faults = [
        f"{id_} came with another content"
        for id_, requests in by_id.items()
        if len({request.body for request in requests}) > 1
    ]
    for incident in sorted(incidents):
        for kind in ("opened", "resolved"):
            count = len(ids.pop((incident, kind), ()))
            if count != 1:
                faults.append(f"{incident}: {count} notices that it {kind}")
    faults += [f"{incident}: {len(more)} notices more: {kind}" for (incident, kind), more in ids.items()]
    return Verdict(
        incidents=len(incidents),
        killed_at=killed_at,
        requests=len(taken),
        repeated=len(taken) - len(by_id),
        refused=len(receiver.requests) - len(taken),
        faults=faults,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Run it, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.alert_kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, metavar="N", help="kills of the engine")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the moments")
    parser.add_argument("--json", action="store_true", help="print one line for programs")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        result = run(Path(folder), kills=options.kills, seed=options.seed)
    if options.json:
        print(json.dumps(result._asdict()))
        return
    print(
        f"{result.incidents} incidents, {len(result.killed_at)} kills: {result.requests} notices taken, of which "
        f"{result.repeated} repeats; {result.refused} refused by a receiver that was away"
    )
    print(f"killed at {', '.join(result.killed_at)}")
    print("\n".join(result.faults) or "each was told once as opened and once as over")


if __name__ == "__main__":
    main()
