from htmengine.repository import backfill


def test_a_run_is_current_until_it_ends_or_another_begins(database):
    with database.write() as conn:
        backfill.begin(conn, "a", "first", 10)
        backfill.begin(conn, "a", "first", 20)
        assert backfill.running(conn) == {"a": "first"}
        backfill.begin(conn, "a", "second", 30)
        assert not backfill.end(conn, "a", "first")
        assert backfill.running(conn) == {"a": "second"}
        assert backfill.end(conn, "a", "second")
        assert backfill.running(conn) == {}
        assert not backfill.end(conn, "a", "second")


def test_held_samples_are_taken_in_the_order_in_which_they_came(database):
    with database.write() as conn:
        backfill.hold(conn, ["a", "b", "a", "a"], [30, 10, 20, 25], [0.1, 5e-324, 1e300, -1.5])
        first = backfill.held(conn, "a", 2)
        assert first[1:] == ([30, 20], [0.1, 1e300])
        assert backfill.release(conn, "a", first.ids[-1]) == 2
        assert backfill.held(conn, "a", 10).values == [-1.5]
        assert backfill.held(conn, "b", 10).values == [5e-324]
        assert backfill.held(conn, "c", 10) == backfill.HeldSamples([], [], [])


def test_what_is_held_of_several_metrics_is_taken_in_the_order_in_which_it_came(database):
    with database.write() as conn:
        backfill.begin(conn, "own", "token", 0)
        backfill.hold(conn, ["b", "a", "own", "b", "A"], [3, 1, 7, 2, 5], [0.5, 1.5, 2.5, 3.5, 4.5])
        assert backfill.held_without_history(conn) == ["b", "a", "A"]
        assert backfill.take_held(conn, ["a", "b", "c"]) == (["b", "a", "b"], [3, 1, 2], [0.5, 1.5, 3.5])
        assert backfill.held_without_history(conn) == ["A"]
        assert backfill.take_held(conn, ["a", "b"]) == ([], [], [])
        assert backfill.held(conn, "own", 9).values == [2.5]
