"""Samples of running totals: what came since the value before, by the second or by the count.

The value before is kept in the repository, in the transaction that stores the rows, so that neither an end of the process
nor a second delivery loses a rate or makes another.
"""

from __future__ import annotations

from collections.abc import MutableMapping

from htmengine.doors.reasons import Reason
from htmengine.doors.samples import Kind, Refusals, Samples, check_value
from htmengine.repository.running_totals import Total
from htmengine.runtime.metric_storer.numbering import NewSamples


def samples_of(totals: Samples, known: MutableMapping[str, Total], refusals: Refusals) -> NewSamples:
    """Return the samples of running totals in the order in which these came; what is a sample itself stays between them.

    `known`: the newest total of each name; it is brought up to date.
    """
    columns = NewSamples([], [], [])
    for name, timestamp, value, kind, start, count in zip(*totals, strict=True):
        if kind is Kind.GAUGE:
            columns.names.append(name)
            columns.timestamps.append(int(timestamp // 1))
            columns.values.append(value)
            continue
        before = known.get(name)
        if before and timestamp <= before.timestamp:
            reason = Reason.DUPLICATE if timestamp == before.timestamp else Reason.OLDER
            refusals.add(reason, f"{name} {value!r} {timestamp!r}")
            continue
        if kind is Kind.ENDED:
            if before:
                known[name] = Total(timestamp, 0.0, ended=True)
            continue
        total = known[name] = Total(timestamp, value, count or 0.0)
        since = _since(before, total, kind, start)
        sample = _sample(since, total, kind) if since else Reason.FIRST_OF_COUNTER
        if isinstance(sample, Reason):
            refusals.add(sample, f"{name} {value!r} {timestamp!r}")
            continue
        columns.names.append(name)
        columns.timestamps.append(int(timestamp // 1))
        columns.values.append(sample)
    return columns


def _since(before: Total | None, total: Total, kind: Kind, start: float | None) -> Total | None:
    """Return the total from which on it was counted; None where that is not known."""
    if before is None or before.ended:
        return None
    grows = total.count >= before.count if kind is Kind.MEAN else total.value >= before.value
    if grows and (start is None or start <= before.timestamp):
        return before
    # It began again at 0, when its start says, if it does.
    return Total(start, 0.0) if start is not None and start < total.timestamp else None


def _sample(since: Total, total: Total, kind: Kind) -> float | Reason:
    grown = total.value - since.value
    if kind is Kind.INCREASE:
        return check_value(grown) or grown + 0.0
    by = total.count - since.count if kind is Kind.MEAN else total.timestamp - since.timestamp
    if not by:
        return Reason.NOTHING_COUNTED
    sample = grown / by
    return check_value(sample) or sample + 0.0
