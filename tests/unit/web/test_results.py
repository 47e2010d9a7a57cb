import gc
from weakref import ref

import msgspec

from htmengine.messages import BatchRow, Why
from htmengine.web.results import COLUMNS, Metrics, Results, Wanted

WHY = Why(
    cause="error",
    channel="deviation",
    forecast=5.0,
    usual=(4.0, 6.0),
    foreseen=[],
    alarms_before=0,
    last_alarm=None,
)


def row(uid="u", name="a", rowid=1, value=1.5, log_score=0.25, one_in=None, why=msgspec.UNSET):
    return BatchRow(
        uid=uid,
        name=name,
        rowid=rowid,
        ts=1000 + rowid,
        value=value,
        raw_anomaly=0.0,
        anomaly=0.0,
        log_score=log_score,
        sequence_score=0.0,
        novelty_score=0.0,
        forecast=5.0,
        one_in=one_in,
        why=why,
    )


def test_rows_come_back_as_readers_see_them():
    results = Results(
        [
            row(rowid=2**53 + 1),
            row("v", "b", 7, 0.1, log_score=0.75, one_in=1e5, why=WHY),
            row("v", "b", 8, 9.0, why=WHY),
        ],
        Metrics(),
    )
    assert len(results) == 3
    assert [dict(zip(COLUMNS, shown, strict=True)) for shown in results.shown(Wanted())] == [
        {
            "uid": "u",
            "rowid": 2**53 + 1,
            "time": 1000.0 + 2**53 + 1,
            "value": 1.5,
            "log_score": 0.25,
            "cause": None,
            "direction": None,
            "one_in": None,
        },
        {
            "uid": "v",
            "rowid": 7,
            "time": 1007.0,
            "value": 0.1,
            "log_score": 0.75,
            "cause": "error",
            "direction": "down",
            "one_in": 1e5,
        },
        {
            "uid": "v",
            "rowid": 8,
            "time": 1008.0,
            "value": 9.0,
            "log_score": 0.25,
            "cause": "error",
            "direction": "up",
            "one_in": None,
        },
    ]


def test_readers_get_what_they_want():
    results = Results(
        [row("u", "web.a", 1), row("v", "web.b", 2, log_score=0.5), row("w", "db.a", 3)], Metrics()
    )

    def rowids(**wanted):
        return [shown[1] for shown in results.shown(Wanted(**wanted))]

    assert rowids(match="web.*") == [1, 2]
    assert rowids(min_score=0.5) == [2]
    assert rowids(uid="w") == [3]
    assert rowids(uid="w", match="web.*") == []


def test_a_metric_is_kept_as_long_as_rows_of_it():
    metrics = Metrics()
    results = Results([row()], metrics)
    metric = ref(metrics.of(row()))
    again = Results([row(rowid=2)], metrics)
    del results
    gc.collect()
    assert metric() is metrics.of(row())
    del again
    gc.collect()
    assert metric() is None
