"""Grouping by its definition: every alarm looks around itself, and whoever belongs together is put together."""

from htmengine.incidents.grouping import crowd, quiet_s, windows_s
from htmengine.incidents.names import groups_of


def belong_together(alarms, fleet):
    """Return sets of places in `alarms` that belong together."""
    found = []
    for one in alarms:
        for place, other in enumerate(alarms):
            before_s = one.timestamp - other.timestamp
            if one.uid == other.uid and 0 <= before_s <= quiet_s(one.interval_s):
                found.append({alarms.index(one), place})
        for group in groups_of(one.name):
            for window in windows_s(one.interval_s):
                near = [
                    place
                    for place, other in enumerate(alarms)
                    if group in groups_of(other.name) and abs(other.timestamp - one.timestamp) <= window
                ]
                metrics = {alarms[place].uid for place in near}
                if len(metrics) >= crowd(fleet.size(group) - 1, 1 + int(2 * window / one.interval_s)) > 1:
                    found.append(set(near))
    return found


def group(alarms, fleet):
    """Return the incidents as sets of (uid, rowid)."""
    incidents = [{place} for place in range(len(alarms))]
    for together in belong_together(alarms, fleet):
        joined = set().union(*(incident for incident in incidents if incident & together))
        incidents = [incident for incident in incidents if not incident & together] + [joined]
    return {frozenset(alarms[place][:2] for place in incident) for incident in incidents}
