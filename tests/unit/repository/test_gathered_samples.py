from htmengine.repository import gathered_samples, metrics
from htmengine.repository.gathered_samples import Gathered


def test_samples_wait_in_the_order_in_which_they_came_until_they_are_removed(database):
    samples = [
        Gathered(None, name, source, 1_700_000_000 - time, 0.1 * time)
        for name, source, time in (("m", "b", 5), ("M", "M", 9), ("m", "a", 7), ("m", "b", 3))
    ]
    with database.write() as conn:
        gathered_samples.store(conn, samples[:2])
        gathered_samples.store(conn, samples[2:])
        gathered_samples.store(conn, [])
    with database.write() as conn:
        found = gathered_samples.read(conn, ["m", "n"])
        assert list(found) == ["m"]
        assert [one._replace(id=None) for one in found["m"]] == [samples[0], *samples[2:]]
        assert gathered_samples.newest(conn) == {"m": 1_699_999_997, "M": 1_699_999_991}
        assert gathered_samples.count(conn, "m") == 3
        gathered_samples.remove(conn, [one.id for one in found["m"][:2]])
    with database.read() as conn:
        assert [one.source for one in gathered_samples.read(conn, ["m"])["m"]] == ["b"]
        assert gathered_samples.count(conn, "M") == 1


def test_what_waits_of_a_deleted_metric_is_gone(database, uid):
    with database.write() as conn:
        gathered_samples.store(
            conn, [Gathered(None, name, name, 5, 1.0) for name in ("some.metric", "other")]
        )
        assert not metrics.delete_metric(conn, uid)
        assert set(gathered_samples.newest(conn)) == {"other"}


def test_many_samples_of_many_metrics_are_read_and_removed(database):
    names = [f"m{number}" for number in range(1200)]
    with database.write() as conn:
        gathered_samples.store(conn, [Gathered(None, name, name, 5, 1.0) for name in names])
        found = gathered_samples.read(conn, names)
        assert len(found) == 1200
        gathered_samples.remove(conn, [one.id for some in found.values() for one in some])
        assert gathered_samples.newest(conn) == {}


def test_between_which_times_samples_wait_and_what_lies_outside_of_two_times(database):
    with database.write() as conn:
        gathered_samples.store(
            conn,
            [
                Gathered(None, name, name, time, 1.0)
                for name, time in (("m", 5), ("m", 9), ("M", 7), ("m", 1), ("ä 'x\\", 3))
            ],
        )
        assert gathered_samples.spans(conn, ["m", "M", "ä 'x\\", "n", "m"]) == {
            "m": (1, 9),
            "M": (7, 7),
            "ä 'x\\": (3, 3),
        }
        assert gathered_samples.spans(conn, []) == {}
        found = gathered_samples.read(conn, ["m", "M"], (1, 6))
        assert {name: [one.timestamp for one in some] for name, some in found.items()} == {
            "m": [9, 1],
            "M": [7],
        }
