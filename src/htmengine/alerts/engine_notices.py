"""What is told of the engine itself: notices that belong to no incident, put into the outbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection

from htmengine.alerts import deliveries
from htmengine.alerts import notice as notices
from htmengine.alerts.notice import First, Notice, Severity


class Trouble(NamedTuple):
    """Something that is wrong with the engine."""

    rule: str
    """What identifies it: there is at most one trouble of a name at a time."""
    about: str
    """What was looked at, in a word or two."""
    severity: Severity
    sentence: str
    """What is wrong, without the full stop."""
    hint: str
    """What to do next."""
    started: float
    """Seconds since the epoch."""


def add(
    conn: Connection,
    trouble: Trouble,
    kind: notices.Kind,
    targets: Mapping[str, Notice | None],
    now: float,
) -> None:
    """Store that targets are to be told of a trouble.

    Parameters
    ----------
    targets : by name, the notice of its beginning that the target was given; None where there was none.
    now : seconds since the epoch.
    """
    if not targets:
        return
    position = deliveries.begin(conn, 0)
    installation = deliveries.installation_id(conn)
    rows = []
    for id_, (target, begun) in enumerate(targets.items(), position.delivery_id + 1):
        name = f"engine-{id_}"
        said = Notice(
            id=name,
            kind=kind,
            time=now,
            installation=installation,
            incident=begun.incident if begun else name,
            severity=trouble.severity,
            first=begun.first if begun else First(name, trouble.severity, trouble.about),
            started=begun.started if begun else trouble.started,
            sentence=trouble.sentence,
            rule=trouble.rule,
            ended=now if kind == notices.RESOLVED else None,
            subject="engine",
            first_mover=trouble.about,
            hint=trouble.hint,
        )
        rows.append(deliveries.new(id_, target, said, now, incident=None))
    deliveries.add(conn, rows)
    deliveries.move(conn, position._replace(delivery_id=position.delivery_id + len(rows)))
