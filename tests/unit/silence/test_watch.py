"""Metrics that come, pause and stop, by a clock that is moved: what is found silent, and when."""

import math

from hypothesis import given
from hypothesis import strategies as st

from htmengine.silence.rhythm import DAY_S, Rhythm
from htmengine.silence.watch import LEARNING_LOOKS_PER_S, Begun, Ended, Watch
from tests.support.examples import examples
from tests.unit.silence.schedules import HOUR_S, MONDAY, nightly, regular

TICK_S = 2
"""Seconds from one look to the next."""


class Simulation:
    """A watch, and rows that are stored as time goes on.

    `arrivals` : by metric, when each row is stored, and its timestamp; ascending.
    """

    def __init__(self, arrivals, *, begin=MONDAY, limit=lambda _: None):
        self.watch = Watch(limit, begin)
        self.begin = begin
        self.arrivals = arrivals
        self.events = []
        self.looks = 0
        for uid in arrivals:
            self.watch.enter(uid, uid, *self._stored(uid, begin), begin)

    def _stored(self, uid, now):
        rows = [timestamp for at, timestamp in self.arrivals[uid] if at <= now]
        return len(rows), rows[-1] if rows else None

    def run(self, until, *, watching=lambda _: True, tick_s=TICK_S):
        stored = dict.fromkeys(self.arrivals, 0)
        slept = None
        for now in range(self.begin, until, tick_s):
            for uid, rows in self.arrivals.items():
                while stored[uid] < len(rows) and rows[stored[uid]][0] <= now:
                    stored[uid] += 1
            if not watching(now):
                slept = slept or now
                continue
            if slept:
                self.watch.resume(slept, now)
                slept = None
            for uid in self.watch.due(now, 1000):
                self.looks += 1
                rows, known = self.arrivals[uid], self.watch.rowid(uid)
                new = [(place + 1, rows[place][1]) for place in range(known, stored[uid])]
                tail = rows[stored[uid] - 1][1] if stored[uid] else None
                event = self.watch.look(uid, stored[uid], tail, new, now).event
                if event:
                    self.events.append((now, event))
        self.begin = until
        return self

    def begun(self):
        return [(now, event.uid) for now, event in self.events if isinstance(event, Begun)]


def live(times, delay_s=1):
    return [(time + delay_s, time) for time in times]


def without(times, since, until):
    return [time for time in times if not since <= time < until]


def test_a_metric_that_stops_is_silent_after_its_gap_and_the_margin_and_no_more_when_it_comes_again():
    stops, again = MONDAY + 3 * HOUR_S, MONDAY + 4 * HOUR_S
    run = Simulation({"a": live(without(regular(60, 1), stops, again))}).run(MONDAY + 6 * HOUR_S)
    (found, begun), (seen, ended) = run.events
    assert begun == Begun("a", 180, stops - 60, 60.0, stops - 60 + 360)
    assert stops - 60 + 360 <= found <= stops - 60 + 360 + TICK_S
    assert ended == Ended("a", again)
    assert again <= seen <= again + 60


def test_a_metric_is_looked_at_as_often_as_it_may_rest_not_as_often_as_it_comes():
    run = Simulation({"a": live(regular(1, 0.5))}).run(MONDAY + 12 * HOUR_S)
    assert not run.events
    assert run.looks <= 12 * HOUR_S / 120


def test_history_is_never_silent_and_a_metric_that_lives_on_behind_it_is():
    old = regular(60, 1, since=MONDAY - 400 * DAY_S)
    history = [(MONDAY + 60 + place // 10, time) for place, time in enumerate(old)]
    later = MONDAY + 3 * HOUR_S
    run = Simulation({"a": history, "b": history + live(regular(60, 0.1, since=later))}).run(MONDAY + DAY_S)
    assert [uid for _, uid in run.begun()] == ["b"]


def test_time_in_which_nobody_watches_does_not_count():
    stops = MONDAY + 3 * HOUR_S
    times = {
        "goes": live(without(regular(60, 1), stops, stops + 2 * HOUR_S)),
        "stops": live(regular(60, 0.125)),
    }
    run = Simulation(times).run(
        MONDAY + 8 * HOUR_S, watching=lambda now: not stops <= now < stops + 2 * HOUR_S
    )
    (found, uid), *more = run.begun()
    assert (uid, more) == ("stops", [])
    assert found >= stops + 2 * HOUR_S + 360


def test_a_gap_in_which_nobody_watched_teaches_no_pause():
    stops = MONDAY + 3 * HOUR_S
    times = {"a": live(without(regular(60, 1), stops, stops + 2 * HOUR_S))}
    run = Simulation(times).run(
        MONDAY + 8 * HOUR_S, watching=lambda now: not stops <= now < stops + 2 * HOUR_S
    )
    assert run.watch.rhythm("a").pauses == ()
    assert run.watch.rhythm("a").tolerance_s == 360


def test_data_that_come_once_an_hour_are_late_and_not_silent_when_that_is_known():
    times = regular(60, 2)
    hourly = [(-(-time // HOUR_S) * HOUR_S + 5, time) for time in times]
    run = Simulation({"a": hourly}).run(MONDAY + 2 * DAY_S)
    assert len(run.begun()) <= 1
    assert run.watch.rhythm("a").pauses == ()
    assert HOUR_S - 400 <= run.watch.rhythm("a").lateness_s <= 1.2 * HOUR_S


def test_a_metric_that_rests_at_night_is_found_in_the_first_night_alone():
    run = Simulation({"a": live(nightly(300, 4))}).run(MONDAY + 4 * DAY_S)
    assert [now < MONDAY + DAY_S for now, _ in run.begun()] == [True]


def test_a_rule_says_after_how_long_or_that_never():
    stops = MONDAY + HOUR_S
    limits = {"soon": 60.0, "never": math.inf, "learned": None}
    times = {uid: live(without(regular(30, 1), stops, MONDAY + DAY_S)) for uid in limits}
    run = Simulation(times, limit=limits.get).run(stops + HOUR_S)
    assert [uid for _, uid in run.begun()] == ["soon", "learned"]
    assert stops - 30 + 60 <= run.begun()[0][0] <= stops - 30 + 60 + TICK_S


def test_other_rules_hold_at_once():
    stops = MONDAY + HOUR_S
    run = Simulation({"a": live(without(regular(30, 1), stops, MONDAY + DAY_S))}, limit=lambda _: math.inf)
    run.run(stops + HOUR_S)
    assert not run.begun()
    run.watch.follow(lambda _: 600.0, [("a", "a")], stops + HOUR_S)
    run.run(stops + 2 * HOUR_S)
    assert [now - (stops + HOUR_S) >= 600 for now, _ in run.begun()] == [True]


def test_a_repository_that_went_back_ends_a_silence_and_begins_anew():
    watch = Watch(lambda _: None, MONDAY)
    watch.enter("a", "a", 10, MONDAY, MONDAY, rhythm=Rhythm(live=True), silent=True)
    assert watch.look("a", 5, MONDAY - 300, (), MONDAY + 60).event == Ended("a", MONDAY + 60)
    assert watch.rowid("a") == 5
    assert not watch.is_silent("a")


gaps = st.lists(st.sampled_from([60, 60, 60, 60, 61, 120, 200, 3600, 40_000]), min_size=10, max_size=60)


@examples(25)
@given(st.dictionaries(st.sampled_from("abc"), gaps, min_size=1))
def test_silences_begin_and_end_in_turn_and_no_metric_is_forgotten(found):
    arrivals = {}
    for uid, own in found.items():
        times = [MONDAY]
        for gap in own:
            times.append(times[-1] + gap)
        arrivals[uid] = live(times)
    end = max(rows[-1][0] for rows in arrivals.values()) + 3 * DAY_S
    run = Simulation(arrivals).run(min(end, MONDAY + 10 * DAY_S), tick_s=20)
    for uid, rows in arrivals.items():
        kinds = [type(event) for _, event in run.events if event.uid == uid]
        assert kinds == [Begun, Ended] * (len(kinds) // 2) + [Begun] * (len(kinds) % 2)
        if run.watch.rhythm(uid).is_known and rows[-1][0] < MONDAY + 2 * DAY_S:
            assert run.watch.is_silent(uid)
        for _, event in run.events:
            if event.uid == uid and isinstance(event, Ended):
                assert event.until in {time for _, time in rows}


def test_metrics_that_were_entered_together_are_looked_at_one_after_the_other():
    watch = Watch(lambda _: None, MONDAY)
    for number in range(1000):
        watch.enter(f"metric{number}", f"metric{number}", 0, None, MONDAY)
    looks = []
    for now in range(MONDAY, MONDAY + HOUR_S, TICK_S):
        due = watch.due(now, 1000)
        looks.append(len(due))
        for uid in due:
            watch.look(uid, 0, None, (), now)
    later = looks[len(looks) // 2 :]
    assert max(later) < 5 * sum(later) / len(later)
    assert 800 <= sum(later) * 120 / (HOUR_S / 2) <= 1300  # each once in two minutes, about


def test_a_metric_that_comes_seldom_is_not_looked_at_between_its_samples_while_little_is_known():
    seldom = {f"m{number}": live(regular(300, 0.05, since=MONDAY - 240)) for number in range(20)}
    run = Simulation(seldom).run(MONDAY + 900)
    looks = run.looks
    run.run(MONDAY + 1800)
    assert run.looks - looks <= 20 * 3  # three samples, each looked for once
    assert all(run.watch.rowid(uid) >= 5 for uid in seldom)


def test_a_fleet_that_is_new_is_looked_at_at_a_bounded_rate():
    watch, count, until = Watch(lambda _: None, MONDAY), 20_000, 120
    for number in range(count):
        watch.enter(str(number), str(number), 1, MONDAY, MONDAY, is_new=True)
    looks = 0
    for now in range(MONDAY, MONDAY + until):
        due = watch.due(now, count)
        looks += len(due)
        for uid in due:
            watch.look(uid, 1, MONDAY, (), now)
    assert count < looks < 0.8 * until * LEARNING_LOOKS_PER_S
