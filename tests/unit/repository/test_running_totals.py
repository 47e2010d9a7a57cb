import math

from htmengine.repository import metrics, running_totals
from htmengine.repository.running_totals import Total

TIME = 1_700_000_000


def test_totals_are_kept_bit_for_bit_and_renewed(database):
    first = {"m": Total(TIME + 0.1, math.pi * 1e17, 1 / 3), "n;k=v": Total(TIME + 1 / 3, 5e-324, ended=True)}
    second = {"n;k=v": Total(TIME + 60.5, -1.7976931348623157e308), "größe": Total(0.0, 0.0)}
    for totals in (first, second):
        with database.write() as conn:
            running_totals.store(conn, running_totals.read(conn, list(totals)), totals)
    with database.read() as conn:
        assert running_totals.read(conn, ["m", "n;k=v", "größe", "other"]) == first | second


def test_names_that_differ_in_case_have_totals_of_their_own(database):
    totals = {"Load": Total(TIME, 1.0), "load": Total(TIME, 2.0)}
    with database.write() as conn:
        running_totals.store(conn, {}, totals)
    with database.read() as conn:
        assert running_totals.read(conn, ["load"]) == {"load": Total(TIME, 2.0)}
        assert running_totals.read(conn, ["Load", "load"]) == totals


def test_many_totals_are_read_and_stored_at_a_time(database):
    totals = {f"m{n}": Total(TIME, float(n)) for n in range(1500)}
    with database.write() as conn:
        running_totals.store(conn, {}, totals)
    with database.write() as conn:
        known = running_totals.read(conn, list(totals))
        assert known == totals
        later = {name: Total(TIME + 1, total.value + 1) for name, total in totals.items()}
        running_totals.store(conn, known, later)
    with database.read() as conn:
        assert running_totals.read(conn, list(totals)) == later


def test_a_deleted_metric_leaves_no_total(database):
    with database.write() as conn:
        uid = metrics.create_custom(conn, ["m"])["m"]
        running_totals.store(conn, {}, {"m": Total(TIME, 1.0), "n": Total(TIME, 1.0)})
    with database.write() as conn:
        assert not metrics.delete_metric(conn, uid)
    with database.read() as conn:
        assert set(running_totals.read(conn, ["m", "n"])) == {"n"}
