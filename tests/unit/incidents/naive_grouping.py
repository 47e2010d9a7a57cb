"""Grouping by its definition: every alarm looks around itself, and whoever belongs together is put together."""

from htmengine.incidents.grouping import (
    CHANCE_RATE,
    RARE,
    RARE_RATE,
    SMALL,
    UNLIKELY,
    crowd,
    quiet_s,
    windows_s,
)
from htmengine.incidents.names import groups_of


def sees_a_crowd(one, window, group, alarms, fleet, rate):
    """Tell whether an alarm is one of a crowd of a group, whatever smaller group is left out."""
    size = fleet.size(group)
    near = {
        other.name
        for other in alarms
        if group in groups_of(other.name) and abs(other.timestamp - one.timestamp) <= window
    }

    def needed(metrics):
        samples = 1 + int(2 * window / one.interval_s)
        return crowd(metrics, samples, rate, UNLIKELY * min(1, SMALL / size))

    smaller = {group for name in near for group in groups_of(name) if fleet.size(group) < size}
    return size > 1 and all(
        [len(near) - 1 >= needed(size - 1)]
        + [
            len([name for name in near if left_out not in groups_of(name)])
            >= needed(size - fleet.size(left_out))
            for left_out in smaller
        ]
    )


def belong_together(alarms, fleet):
    """Yield pairs of places in `alarms` that belong together."""
    for place, one in enumerate(alarms):
        for earlier, other in enumerate(alarms):
            if one.uid == other.uid and 0 <= one.timestamp - other.timestamp <= quiet_s(one.interval_s):
                yield earlier, place
    for group in {group for one in alarms for group in groups_of(one.name)}:
        for odds, rate in ((0, CHANCE_RATE), (RARE, RARE_RATE)):
            looking = {
                place: one
                for place, one in enumerate(alarms)
                if one.one_in >= odds and group in groups_of(one.name)
            }
            sees = {
                place: max(
                    (
                        window
                        for window in windows_s(one.interval_s)
                        if sees_a_crowd(one, window, group, looking.values(), fleet, rate)
                    ),
                    default=-1,
                )
                for place, one in looking.items()
            }
            for place, one in looking.items():
                for earlier, other in looking.items():
                    if abs(one.timestamp - other.timestamp) <= min(sees[place], sees[earlier]):
                        yield earlier, place


def group(alarms, fleet):
    """Return the incidents as sets of (uid, rowid)."""
    incidents = [{place} for place in range(len(alarms))]
    for pair in belong_together(alarms, fleet):
        joined = set().union(*(incident for incident in incidents if incident & set(pair)))
        incidents = [incident for incident in incidents if not incident & set(pair)] + [joined]
    return {frozenset(alarms[place][:2] for place in incident) for incident in incidents}
