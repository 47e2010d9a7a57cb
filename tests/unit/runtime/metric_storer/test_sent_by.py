"""Refusals of the storer are counted by the door and the peer that sent the sample."""

import pytest

from htmengine.doors import queue_lines
from htmengine.doors.reasons import Reason
from htmengine.messages import MetricLines, encode_json
from tests.unit.runtime.metric_storer.storer import NOW, Storer, at, lines, with_rules

T = NOW - 100_000


@pytest.fixture
def storer(tmp_path):
    return Storer(tmp_path, rules=with_rules(tmp_path, "[r]\nregex = old\\.(.*)\nrename = new.\\1\n"))


def refused(storer):
    """Return count, newest example, peer and time by door and reason."""
    return {
        reported: (one["count"], one["examples"][-1], one["peer"], one["last"])
        for reported, one in storer.stage.counters.snapshot()["rejected"].items()
    }


def sent(*texts, door="graphite-text", peers=(), at=NOW, protocol="plain"):
    return encode_json(
        MetricLines(protocol=protocol, data=list(texts), door=door, peers=list(peers), accepted_at=at)
    )


def test_a_line_that_is_no_sample_is_told_with_its_door_and_peer(storer):
    peers = [(2, "10.0.0.1"), (1, "10.0.0.2"), (1, "10.0.0.3")]
    storer.process(sent(at(1), "m x 1", "bad line", at(2), peers=peers, at=NOW - 5.0))
    assert refused(storer) == {
        f"graphite-text: {Reason.VALUE}": (1, "m x 1", "10.0.0.1", NOW - 5.0),
        f"graphite-text: {Reason.FIELDS}": (1, "bad line", "10.0.0.2", NOW - 5.0),
    }


def test_a_second_value_is_told_with_the_door_that_it_came_by(storer):
    storer.process(
        sent(at(1), peers=[(1, "10.0.0.1")]),
        sent(at(1, 2.0), at(1, 3.0), door="influx", peers=[(1, "10.0.0.2"), (1, "10.0.0.3")]),
    )
    assert refused(storer) == {f"influx: {Reason.DUPLICATE}": (2, f"m 2.0 {T + 1}", "10.0.0.3", NOW)}


@pytest.mark.parametrize("name", ["old.load", "load;b=2;a=1", 'load{b="2",a="1"}'])
def test_a_sample_is_known_by_the_name_that_it_was_sent_under(storer, name):
    storer.process(
        sent(at(1, name="other"), at(1, name=name), peers=[(1, "10.0.0.1"), (1, "10.0.0.2")]),
        sent(at(2, name="other"), at(1, 2.0, name), peers=[(1, "10.0.0.1"), (1, "10.0.0.3")]),
    )
    (found,) = refused(storer).items()
    assert found[0] == f"graphite-text: {Reason.DUPLICATE}"
    assert found[1][2] == "10.0.0.3"


def test_running_totals_are_told_with_their_door(storer):
    total = f"hits 5.0 {T}.0 counter - -"
    storer.process(sent(total, door="remote_write", peers=[(1, "10.0.0.9")], protocol=queue_lines.TOTALS))
    assert refused(storer) == {
        f"remote_write: {Reason.FIRST_OF_COUNTER}": (1, f"hits 5.0 {T}.0", "10.0.0.9", NOW)
    }


def test_what_applications_queue_has_neither_door_nor_peer(storer):
    storer.process(lines("", " ", "m x 1", at(1), at(1)))
    assert set(refused(storer)) == {Reason.FIELDS, Reason.VALUE, Reason.DUPLICATE}
    assert {found[2] for found in refused(storer).values()} == {None}


@pytest.mark.parametrize("peers", [[], [(0, "a"), (-3, "b")], [(1 << 60, "c")], [(1, "d")]])
def test_peers_that_do_not_match_the_lines_cost_no_sample(storer, peers):
    storer.process(sent(at(1), "m x 1", at(1), at(2), door="made up", peers=peers))
    assert storer.rows("m") == [(T + 1, 1.0), (T + 2, 1.0)]
    assert {reason: found[0] for reason, found in refused(storer).items()} == {
        Reason.VALUE: 1,
        Reason.DUPLICATE: 1,
    }
