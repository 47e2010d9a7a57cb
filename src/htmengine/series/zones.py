"""From clocks on the wall to UTC: times in a zone whose clocks are changed twice a year."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt

from htmengine.errors import MisuseError
from htmengine.htm.arrays import FloatArray

_QUARTER_S = 900  # offsets change at quarters of an hour only


class InUtc(NamedTuple):
    """Times that were read in a zone."""

    timestamps: FloatArray  # (n,) seconds since the epoch, UTC
    repeated: int  # rows in an hour that the clocks show twice
    skipped: int  # rows in an hour that the clocks do not show; read as if they had not been set forward


def zone(name: str) -> ZoneInfo:
    """Return the zone of a name such as Europe/Berlin. Raises MisuseError if there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise MisuseError(
            f"--tz {name!r} is not a time zone.",
            hint="Give a name of the tz database, such as Europe/Berlin or America/New_York, or UTC.",
        ) from error


def to_utc(local: FloatArray, absolute: npt.NDArray[np.bool_], tz: ZoneInfo) -> InUtc:
    """Return the times of clocks in a zone, in the order of the rows, as UTC.

    When clocks are set back an hour comes twice. A row is of the second one when it would else not be later than
    the row before it; rows that run from the newest to the oldest are looked at from the end.

    Parameters
    ----------
    local : shape (n,). What the clocks showed, as seconds since 1970 as if the zone were UTC.
    absolute : shape (n,). Rows whose time says its zone: they are in UTC already.
    """
    quarters, inverse = np.unique(np.floor(local / _QUARTER_S).astype(np.int64), return_inverse=True)
    offsets = [_offsets(int(quarter), tz) for quarter in quarters.tolist()]
    first = np.array([offset for offset, _ in offsets], dtype=np.float64)[inverse]
    second = np.array([offset for _, offset in offsets], dtype=np.float64)[inverse]
    early, late = local - first, local - second
    early[absolute] = late[absolute] = local[absolute]
    ambiguous = np.flatnonzero(early < late)
    backwards = 2 * int((np.diff(local) < 0).sum()) > len(local)
    step = -1 if backwards else 1
    for row in ambiguous[::step].tolist():
        before = row - step
        if 0 <= before < len(early) and early[row] <= early[before] <= late[row]:
            early[row] = late[row]
    return InUtc(early, len(ambiguous), int((early > late).sum()))


def _offsets(quarter: int, tz: ZoneInfo) -> tuple[float, float]:
    """Return by how many seconds a zone is ahead of UTC, by its first and its second reading of a clock."""
    try:
        moment = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=quarter * _QUARTER_S)).replace(
            tzinfo=tz
        )
    except OverflowError:
        return 0.0, 0.0
    readings = (moment.replace(fold=fold).utcoffset() or timedelta() for fold in (0, 1))
    before, after = (reading.total_seconds() for reading in readings)
    return before, after
