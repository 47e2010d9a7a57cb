"""Lines go to the queue of the metric that they become samples of."""

import pytest

from htmengine import config
from htmengine.messages import part_of
from htmengine.runtime.metric_storer import division
from htmengine.runtime.metric_storer.division import Division
from htmengine.service.data_queues import DataQueues
from tests.unit.runtime.metric_storer.storer import with_rules

QUEUES = DataQueues("data", tuple(f"data.{part}" for part in range(4)))
NAMES = [f"host{number}.cpu" for number in range(20)]


def divided(lines, peers=(), **storer):
    return Division(config.Storer(**storer), "test").of(QUEUES, lines, peers)


def queues_of(*lines, **storer):
    return set(divided(lines, **storer))


def test_a_single_queue_gets_everything():
    (only,) = (
        Division(config.Storer(), "test").of(DataQueues("data"), ["a 1 2", "b 1 2"], [(2, "peer")]).items()
    )
    assert only == ("data", (["a 1 2", "b 1 2"], [(2, "peer")]))


def test_each_line_goes_to_the_queue_of_its_name_in_order():
    lines = [f"{name} {value} {1000 + value}" for value in range(3) for name in NAMES]
    parts = divided(lines)
    assert len(parts) == 4
    for queue, part in parts.items():
        assert part.lines == [line for line in lines if QUEUES.of_name(line.split()[0]) == queue]
        assert part.peers == ()


def test_every_queue_has_its_share():
    names = [f"host{number}.cpu" for number in range(4096)]
    counts = [sum(part_of(name, 8) == part for name in names) for part in range(8)]
    assert min(counts) > 400


def test_peers_stay_with_their_lines():
    peers = [(5, "one"), (1, "two"), (14, "three")]
    lines = [f"{name} 1 1000" for name in NAMES]
    senders = [peer for count, peer in peers for _ in range(count)]
    for part in divided(lines, peers).values():
        found = [peer for count, peer in part.peers for _ in range(count)]
        assert found == [senders[lines.index(line)] for line in part.lines]


def test_forms_of_one_name_go_to_one_queue():
    assert len(queues_of("m;b=2;a=1 1 1000", "m;a=1;b=2 1 1000", 'm{b="2",a="1"} 1 1000')) == 1


@pytest.mark.parametrize("line", ["", " ", "m;=; 1 1000", "\u2028", "m\ud800 1 2"])
def test_what_is_no_sample_goes_somewhere(line):
    assert len(queues_of(line)) == 1


def test_names_that_rules_make_one_go_to_one_queue(tmp_path):
    rules = with_rules(tmp_path, "[hosts]\nregex = host\\d+\\.(.*)\nrename = all.\\1\n")
    lines = [f"{name} 1 1000" for name in NAMES]
    assert len(queues_of(*lines)) > 1
    assert queues_of(*lines, rules=rules) == {QUEUES.of_name("all.cpu")}


def test_rules_that_change_are_read_again(tmp_path):
    now = 0.0
    lines = [f"{name} 1 1000" for name in NAMES]
    dividing = Division(config.Storer(rules=tmp_path / "monitor-rules.conf"), "test", lambda: now)
    assert len(dividing.of(QUEUES, lines)) > 1
    with_rules(tmp_path, "[hosts]\nregex = host\\d+\\.(.*)\nrename = all.\\1\n")
    now += division.CHECK_S
    assert len(dividing.of(QUEUES, lines)) == 1


def test_other_queues_take_their_own_share():
    dividing = Division(config.Storer(), "test")
    lines = [f"{name} 1 1000" for name in NAMES]
    others = DataQueues("data", ("other.0", "other.1"), epoch=1)
    assert set(dividing.of(QUEUES, lines)) == set(QUEUES.parts)
    assert set(dividing.of(others, lines)) == set(others.parts)
    assert set(dividing.of(DataQueues("data", epoch=2), lines)) == {"data"}
