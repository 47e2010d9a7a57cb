import math

from hypothesis import given
from hypothesis import strategies as st

from htmengine.messages import BatchRow
from htmengine.web.fleet import Fleet
from tests.support.examples import examples

COLUMNS = (
    "rowid",
    "time",
    "value",
    "log_score",
    "forecast",
    "usual_low",
    "one_in",
    "gap",
    "interval",
    "alarm_time",
)


def row(metric, rowid, ts, score):
    known = rowid % 3 != 0
    return BatchRow(
        uid=f"u{metric}",
        name=f"m{metric}",
        rowid=rowid,
        ts=ts,
        value=ts / 7,
        raw_anomaly=0.0,
        anomaly=0.0,
        log_score=score,
        sequence_score=0.0,
        novelty_score=0.0,
        forecast=rowid / 2 if known else None,
        usual=(rowid / 4, rowid / 1.0) if known else None,
        one_in=float(rowid),
    )


class OneByOne:
    """What is known of a metric, by a rule for each row."""

    def __init__(self):
        self.known = dict.fromkeys(COLUMNS, math.nan) | {"rowid": 0}
        self.missed = False

    def take(self, row):
        known = self.known
        before = known["rowid"]
        if before and row.rowid > before + 1:
            self.missed = True
        if row.rowid < before:
            return
        gap = row.ts - known["time"] if before and row.rowid == before + 1 else math.nan
        if gap > 0:
            if math.isnan(known["gap"]) or abs(gap - known["gap"]) <= 0.2 * known["gap"]:
                known["interval"] = gap
            known["gap"] = gap
        low, _ = row.usual or (math.nan, math.nan)
        known |= {
            "rowid": row.rowid,
            "time": row.ts,
            "value": row.value,
            "log_score": row.log_score,
            "forecast": math.nan if row.forecast is None else row.forecast,
            "usual_low": low,
            "one_in": row.one_in,
        }
        if row.log_score >= 0.5:
            known["alarm_time"] = row.ts


@st.composite
def batches(draw):
    """Batches of rows of three metrics; some are missing, some come again."""
    rowid, ts = [0] * 3, [1_000_000] * 3
    found = []
    for size in draw(st.lists(st.integers(1, 12), min_size=1, max_size=5)):
        batch = []
        for _ in range(size):
            metric = draw(st.integers(0, 2))
            back = (
                draw(st.sampled_from([0] * 12 + [1, 3]))
                if not any(one.uid == f"u{metric}" for one in batch)
                else 0
            )
            if back and rowid[metric] > back:
                batch.append(row(metric, rowid[metric] - back + 1, ts[metric], 0.3))
                continue
            rowid[metric] += draw(st.sampled_from([1] * 10 + [2]))
            ts[metric] += draw(st.sampled_from([60, 60, 60, 66, 0, 300]))
            batch.append(row(metric, rowid[metric], ts[metric], draw(st.sampled_from([0.1, 0.2, 0.7]))))
        found.append(batch)
    return found


@examples(300)
@given(batches())
def test_a_batch_is_taken_as_its_rows_would_be_one_by_one(found):
    fleet, slow = Fleet(), {}
    for batch in found:
        missed = fleet.apply(batch)
        for metric in slow.values():
            metric.missed = False
        for one in batch:
            slow.setdefault(one.uid, OneByOne()).take(one)
        assert missed == any(metric.missed for metric in slow.values())
        for uid, metric in slow.items():
            i = fleet.index[uid]
            for name in COLUMNS:
                seen, expected = float(fleet.column(name)[i]), metric.known[name]
                assert math.isclose(seen, expected, rel_tol=1e-6) or (
                    math.isnan(seen) and math.isnan(expected)
                ), name
