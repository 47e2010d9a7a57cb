"""What is taught counts from its row to the one from which it was undone, or to its expiry, and for nothing else."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from sqlalchemy import update

from htmengine import config
from htmengine.admin import explaining
from htmengine.admin import teaching as previews
from htmengine.admin.rescoring import rescore
from htmengine.admin.taught_past import TaughtPasts, taught_past
from htmengine.incidents import labels, teaching
from htmengine.incidents.labels import Label
from htmengine.incidents.teaching import CannotTeach
from htmengine.repository import metrics, schema, teachings
from htmengine.repository.opening import open_database
from tests.unit.incidents.season import DAY, INTERVAL_S, START, Season, wave

DAYS = 14


def at(day: float) -> int:
    """Return the row, counted from 0, at a day of the season."""
    return round(day * DAY)


SPIKES = {at(5.5): 80.0, at(8.0): 80.0, at(10.5): 80.0, at(12.5): 80.0}
"""All as high; the first and the last at the same hour of the week."""
DROP = at(11.3)
VALUES = wave(DAYS, **{f"at_{row}": height for row, height in SPIKES.items()}, **{f"at_{DROP}": -60.0})
SPAN = at(5.5), at(5.5) + 2
UNTIL = SPAN[1] + 1
"""The row at which most tests teach."""


@pytest.fixture
def season(fresh, tmp_path):
    found = Season(fresh(), tmp_path)
    yield found
    found.close()


@contextmanager
def in_folder(folder, *, epoch):
    database = open_database(config.Repository(path=folder / "repository.sqlite"))
    season = Season(database, folder, epoch=epoch)
    yield season, season.metric("never"), season.metric("taught")
    season.close()
    database.close()


@pytest.fixture(scope="module")
def lived(template, tmp_path_factory):
    """Give the folder of an installation: one metric is never taught and has all values, another has those until `UNTIL`."""
    folder = tmp_path_factory.mktemp("lived")
    shutil.copy(template, folder)
    with in_folder(folder, epoch=0) as (season, never, taught):
        season.feed(never, VALUES)
        season.feed(taught, VALUES[:UNTIL])
    return folder


@pytest.fixture
def later(lived, tmp_path):
    """Give such an installation of the test's own, started again, and the two metrics."""
    shutil.copytree(lived, tmp_path, dirs_exist_ok=True)
    with in_folder(tmp_path, epoch=1) as season_and_metrics:
        yield season_and_metrics


def in_events(alarms):
    """Return the rows, counted from 0, at which alarms lie."""
    return sorted({row for row in (*SPIKES, DROP) for alarm in alarms if row <= alarm - 1 < row + 3})


def context_of(season):
    return SimpleNamespace(settings=season.settings, database=season.database)


def previewed(season, uid, how, first, last):
    context = context_of(season)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(previews, "open_checkpoint_store", lambda settings, database: season.store)
        return previews.preview(context, season.wanted(uid, first, last, how))


@pytest.mark.parametrize(
    ("how", "silenced"),
    [("values", [at(8.0), at(10.5), at(12.5)]), ("times", [at(12.5)]), ("forget", None)],
)
def test_exactly_the_previewed_alarms_go(later, how, silenced):
    season, never, taught = later
    found = previewed(season, never, how, *SPAN)
    assert found.reaches_the_span
    assert found.lesson.teaching.effective_rowid == len(VALUES) + 1

    label = season.teach(taught, *SPAN, how)
    season.feed(taught, VALUES[UNTIL:])

    gone = season.alarms(never) - season.alarms(taught)
    came = season.alarms(taught) - season.alarms(never)
    behind = [alarm.rowid for alarm in found.would_silence if alarm.rowid > UNTIL]
    assert gone == set(behind)
    assert came == {alarm.rowid for alarm in found.would_add}
    if silenced is not None:
        assert in_events(gone) == silenced
        assert not came
        assert season.silenced(taught) == dict.fromkeys(gone, label)
        assert DROP + 1 in season.alarms(taught)
    assert rescore(season.database, season.store, taught, "taught").findings == []


def test_what_is_forgotten_does_not_blind(season):
    wild = list(VALUES)
    sensor = range(at(6), at(6) + 60)
    for row in sensor:
        wild[row] = 5000.0 + row % 7
    never, taught = season.metric("never"), season.metric("taught")
    for uid in never, taught:
        season.feed(uid, wild[: sensor.stop])
    season.teach(taught, sensor.start, sensor.stop - 1, "forget")
    for uid in never, taught:
        season.feed(uid, wild[sensor.stop :])
    assert in_events(season.alarms(taught)) > in_events(season.alarms(never))
    # The model is the one that took the span for missing, and scored nothing of it.
    without = season.metric("without")
    season.feed(without, wild)
    rows = season.rows(taught)[sensor.stop :]
    assert rows != season.rows(without)[sensor.stop :]


LOG_SCORE = 2 + schema.SCORES.index("log_score")


@pytest.mark.parametrize("how", teachings.HOWS)
def test_the_past_scored_again_is_that_of_a_metric_that_was_taught_in_time(later, how):
    season, never, in_time = later
    season.teach(in_time, *SPAN, how)
    season.feed(in_time, VALUES[UNTIL:])
    late, taught = season.metric("late"), at(13)
    season.feed(late, VALUES[:taught])
    label = season.teach(late, *SPAN, how)
    season.feed(late, VALUES[taught:])

    found = taught_past(context_of(season), late, now=0)
    assert (found.first, found.rows, found.begins) == (1, taught, START)
    scores = {place: row[LOG_SCORE] for place, row in enumerate(season.rows(in_time))}
    assert found.scores.log_score.tolist()[UNTIL:] == [scores[place] for place in range(UNTIL, taught)]
    assert season.rows(late)[:taught] == season.rows(never)[:taught], "what is stored stays"
    assert season.rows(late)[taught:] == season.rows(in_time)[taught:]

    def behind(alarms):
        return {one for one in alarms if UNTIL < one <= taught}

    gone, added = {one.rowid for one in found.gone}, {one.rowid for one in found.added}
    assert behind(gone) == behind(season.alarms(late) - season.alarms(in_time))
    assert behind(added) == behind(season.alarms(in_time) - season.alarms(late))
    assert gone or how == "forget"
    assert gone <= season.alarms(late)

    season.undo(label)
    season.feed(late, VALUES[:10])
    silenced = set(season.silenced(late))
    taken_back = taught_past(context_of(season), late, now=0)
    assert taken_back.rows == len(VALUES)
    assert taken_back.scores.log_score.tolist() == [row[LOG_SCORE] for row in season.rows(never)]
    assert not {one.rowid for one in taken_back.gone} & silenced
    assert silenced <= {one.rowid for one in taken_back.added}


def test_the_past_is_remembered_until_something_else_is_taught(season):
    uid, pasts = season.metric(), TaughtPasts()
    season.feed(uid, VALUES[:400])
    with pytest.raises(CannotTeach, match="taught nothing"):
        pasts.of(context_of(season), uid, now=0)
    label = season.teach(uid, 10, 19, "values")
    with ThreadPoolExecutor(2) as threads:  # as a page asks
        found, same = threads.map(lambda _: pasts.of(context_of(season), uid, now=0), range(2))
    assert found is same
    season.feed(uid, VALUES[400:500])
    assert pasts.of(context_of(season), uid, now=0) is found
    season.undo(label)
    assert pasts.of(context_of(season), uid, now=0) is not found


@pytest.mark.parametrize("how", teachings.HOWS)
def test_rows_behind_an_undoing_score_as_if_never_taught(later, how):
    season, never, taught = later
    undone = at(13)
    label = season.teach(taught, *SPAN, how)
    season.feed(taught, VALUES[UNTIL:undone], live=True)
    season.undo(label)
    season.feed(taught, VALUES[undone:], live=True)
    one, other = season.rows(never), season.rows(taught)
    assert one[:UNTIL] == other[:UNTIL]
    assert one[UNTIL:undone] != other[UNTIL:undone]
    assert one[undone:] == other[undone:]
    assert rescore(season.database, season.store, taught, "taught").findings == []


@pytest.mark.parametrize("how", teachings.HOWS)
def test_it_expires_by_the_time_of_samples(later, how):
    season, never, taught = later
    expired = at(13)
    season.teach(taught, *SPAN, how, expires=START + expired * INTERVAL_S)
    season.feed(taught, VALUES[UNTIL:])
    one, other = season.rows(never), season.rows(taught)
    assert one[UNTIL:expired] != other[UNTIL:expired]
    assert one[expired:] == other[expired:]
    assert rescore(season.database, season.store, taught, "taught").findings == []


def test_several_teachings_are_independent(season):
    """Taking one back leaves what the others make, as if that one had never been."""
    once, both = season.metric("once"), season.metric("both")
    undone = at(13)
    for uid in once, both:
        season.feed(uid, VALUES[:UNTIL])
        season.teach(uid, *SPAN, "forget")
    label = season.teach(both, at(3), at(3) + 40, "forget")
    for uid in once, both:
        season.feed(uid, VALUES[UNTIL:undone])
    season.undo(label)
    for uid in once, both:
        season.feed(uid, VALUES[undone:])
    assert season.rows(once)[UNTIL:undone] != season.rows(both)[UNTIL:undone]
    assert season.rows(once)[undone:] == season.rows(both)[undone:]


@pytest.mark.parametrize("how", teachings.HOWS)
def test_a_scheduler_that_is_killed_goes_on_with_what_was_taught(season, how):
    calm, killed = season.metric("calm"), season.metric("killed")
    for uid in calm, killed:
        season.feed(uid, VALUES[:UNTIL])
        season.teach(uid, *SPAN, how)
    season.feed(calm, VALUES[UNTIL:])
    for start in range(UNTIL, len(VALUES), 259):
        season.start()
        season.feed(killed, VALUES[start : start + 259])
    assert season.rows(calm) == season.rows(killed)


def test_verify_finds_a_teaching_that_was_applied_at_another_row(season):
    uid = season.metric()
    season.feed(uid, VALUES[:UNTIL])
    season.teach(uid, *SPAN, "values")
    season.feed(uid, VALUES[UNTIL : UNTIL + 100])
    assert rescore(season.database, season.store, uid, "a").findings == []
    with season.database.write() as conn:
        moved = schema.teaching.c.effective_rowid + 1
        conn.execute(update(schema.teaching).values(effective_rowid=moved))
    assert "usual values" in rescore(season.database, season.store, uid, "a").findings[0]


def test_what_cannot_be_taught_is_refused_with_a_reason(season):
    uid = season.metric()
    with pytest.raises(CannotTeach, match="no model that could be taught"):
        season.teach(uid, 0, 1, "values")
    season.feed(uid, VALUES[:400])
    for options, reason in (
        ({"first": 10, "last": 9}, "ends before it begins"),
        ({"first": 10_000, "last": 10_001}, "ends before|No sample"),
        ({"how": "times", "last": 300}, "less than a day"),
        ({"kind": "anomaly"}, "only be forgotten"),
        ({"kind": "ignore"}, "nothing that can be taught"),
        ({"expires": START}, "expired before"),
    ):
        given = {"first": 0, "last": 9, "how": "values"} | options
        with pytest.raises(CannotTeach, match=reason):
            season.teach(uid, **given)
    season.teach(uid, 0, 9, "values")
    season.now -= 7000
    with pytest.raises(CannotTeach, match="within the last hour"):
        season.teach(uid, 20, 29, "values")
    for number in range(1, teaching.MAX_COUNTING):
        season.teach(uid, 10 * number, 10 * number + 9, "times")
    with pytest.raises(CannotTeach, match="20 teachings"):
        season.teach(uid, 300, 309, "values")
    with season.database.write() as conn:
        conn.execute(schema.metric_data.delete().where(schema.metric_data.c.rowid < 3))
    with pytest.raises(CannotTeach, match="first rows are not stored"):
        season.teach(uid, 300, 309, "forget")


def test_a_teaching_is_a_label_until_it_is_taken_back(season):
    uid = season.metric()
    season.feed(uid, VALUES[:400])
    number = season.teach(uid, 10, 19, "forget", kind="anomaly", note="disk full")

    def found(**options):
        with season.database.read() as conn:
            return [
                (one.number, one.kind, one.note) for one in labels.labels(conn, now=0, uid=uid, **options)
            ]

    assert found() == [(number, "anomaly", "disk full")]
    season.undo(number)
    assert found() == []
    assert found(undone=True) == [(number, "anomaly", "disk full")]
    assert teaching.take_back(season.database, [number], by="", now=0) == [number]
    with season.database.write() as conn:  # the same can be said again, and is another label
        again = labels.add(
            conn, Label(uid, None, START + 10 * INTERVAL_S, START + 19 * INTERVAL_S, kind="anomaly")
        )
    assert again.number != number
    with season.database.write() as conn:
        metrics.end_model(conn, uid)
        while metrics.delete_metric(conn, uid):
            pass
        assert teachings.read_all(conn) == {}


@pytest.mark.parametrize("how", teachings.HOWS)
def test_a_row_is_explained_by_what_was_taught_by_then(season, how):
    uid = season.metric()
    season.feed(uid, VALUES[:UNTIL])
    label = season.teach(uid, *SPAN, how)
    season.feed(uid, VALUES[UNTIL:])
    silenced = season.silenced(uid)
    rows = {row[0]: row for row in season.rows(uid)}
    context = context_of(season)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explaining, "open_checkpoint_store", lambda settings, database: season.store)
        for rowid in (UNTIL - 10, UNTIL + 1, *list(silenced)[:2], DROP + 1):
            found = explaining.explain(context, uid, rowid)
            assert found.explanation.scores.log_score == rows[rowid][LOG_SCORE]
            assert found.silenced_by == (label if rowid in silenced else None)
    assert bool(silenced) == (how != "forget")


def test_an_alarm_that_is_silenced_stays_below_in_its_order(season):
    uid = season.metric()
    season.feed(uid, VALUES[:UNTIL])
    season.teach(uid, *SPAN, "values")
    season.feed(uid, VALUES[UNTIL:])
    rows = {row[0]: row for row in season.rows(uid)}
    scores = [rows[rowid][LOG_SCORE] for rowid in season.silenced(uid)]
    assert scores
    assert max(scores) < 0.5
    low = np.array([row[2 + schema.SCORES.index("usual_low")] for row in season.rows(uid)[UNTIL:]])
    assert (low <= min(VALUES[SPAN[0] : SPAN[1] + 1])).all()
