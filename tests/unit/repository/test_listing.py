from htmengine.repository import listing, metrics


def test_every_metric_is_listed_once_however_few_are_read_at_a_time(database):
    names = [f"m.{i}" for i in range(25)]
    with database.write() as conn:
        uids = metrics.create_custom(conn, names)
    with database.read() as conn:
        parts = list(listing.every_metric(conn, part=7))
    found = [metric for part in parts for metric in part]
    assert {metric.name: metric.uid for metric in found} == uids
    assert [metric.uid for metric in found] == sorted(uids.values())
    assert {(metric.last_rowid, metric.scored_rowid, metric.tail_timestamp) for metric in found} == {
        (0, 0, None)
    }


def test_without_metrics_nothing_is_listed(database):
    with database.read() as conn:
        assert list(listing.every_metric(conn)) == []
