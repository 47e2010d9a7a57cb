"""The tools that change something: what a person may say of incidents and metrics. They need a token that may teach."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, Literal

from htmengine.incidents import actions, ids, labels
from htmengine.incidents.actions import Action, NotOpen
from htmengine.readable import duration
from htmengine.web.access import Principal
from htmengine.web.mcp.answers import Answer, CannotAnswer
from htmengine.web.mcp.tools import Tools

MAX_SNOOZE_MINUTES: Final = 90 * 1440
SCOPE: Final = "teach"


class Actions:
    """What can be said of an installation.

    Parameters
    ----------
    tools : answer what became of it.
    asks : returns who asks; None where nobody is known.
    """

    def __init__(self, tools: Tools, asks: Callable[[], Principal | None]) -> None:
        self._tools = tools
        self._asks = asks

    def acknowledge(self, incident: str, note: str = "") -> Answer:
        """Say that somebody looks after an incident: what is new of it is not told any more, but of its end."""
        return self._act(incident, "ack", note)

    def snooze(self, incident: str, minutes: float = 60, note: str = "") -> Answer:
        """Tell nobody of an open incident for some minutes. If it still goes on then, that is told."""
        if not (math.isfinite(minutes) and 1 <= minutes <= MAX_SNOOZE_MINUTES):
            raise CannotAnswer("An incident is snoozed for a minute to 90 days.", hint="Such as minutes=60.")
        until = int(self._tools.site.clock() + minutes * 60)
        return self._act(incident, "snooze", note, until=until)

    def label(
        self,
        metric: str,
        start: float,
        end: float,
        kind: Literal["normal", "anomaly", "ignore"],
        note: str = "",
    ) -> Answer:
        """Say what a metric's time was: normal, an anomaly, or to be ignored. It is kept and counted, and changes no score."""
        by = self._allowed()
        if not (math.isfinite(start) and math.isfinite(end)):
            raise CannotAnswer("start and end are no times.", hint="Both are seconds since the epoch.")
        site = self._tools.site
        label = labels.Label(
            uid=self._tools.uid(metric),
            match=None,
            begins=int(start // 1),
            ends=int(end // 1),
            kind=kind,
            note=note,
            by=by.name,
            created=int(site.clock()),
            expires=None,
        )
        try:
            labels.check(label)
        except ValueError as error:
            raise CannotAnswer(f"The label cannot be: {error}.", hint="Correct it, and ask again.") from None
        with site.context.database.write() as conn:
            stored = labels.add(conn, label)
        return {
            "answer": f"The label {stored.id} says that {duration(max(0.0, end - start))} of the metric are {kind}.",
            "data": [{"id": stored.id, "metric": metric, "from": stored.begins, "to": stored.ends}],
        }

    @property
    def all(self) -> list[Callable[..., Answer]]:
        """The tools, in the order of the documentation."""
        return [self.acknowledge, self.snooze, self.label]

    def _allowed(self) -> Principal:
        """Return who asks. Raises CannotAnswer where that is nobody who may say anything."""
        who = self._asks()
        if who is None or not who.may(SCOPE):
            raise CannotAnswer(
                f"This needs a token with the scope {SCOPE}.",
                hint=f"A person makes one: htmengine tokens create NAME --scope read --scope {SCOPE}.",
            )
        return who

    def _act(self, incident: str, kind: actions.Kind, note: str, **what: Any) -> Answer:
        by = self._allowed()
        site = self._tools.site
        action = Action(kind, int(site.clock()), by.name, note[: actions.MAX_NOTE], **what)
        number = ids.number_of(incident)
        try:
            with site.context.database.write() as conn:
                into = None if number is None else actions.act(conn, number, action)
        except NotOpen:
            raise CannotAnswer(
                "The incident is over; there is nothing to snooze.", hint="list_incidents tells what is open."
            ) from None
        if into is None:
            raise CannotAnswer("There is no such incident.", hint="list_incidents tells ids.")
        return self._tools.get_incident(ids.id_of(into))
