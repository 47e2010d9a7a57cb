"""A fleet whose models and rows are copies of some that were trained."""

from random import Random

import numpy as np

from benchmarks.fleet import grown
from htmengine import config
from htmengine.admin.verify import verify
from htmengine.service.context import opened


def test_copies_are_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(grown, "DIFFERENT", 2)
    settings = config.embedded(tmp_path)
    grown.build(settings, grown.GrownFleet(5, 300, 1_700_000_000), kept=40)
    with opened(settings) as context:
        report = verify(context, settled=True, random=Random(1))
    assert report.findings == []
    assert (report.metrics, report.rows, report.checkpoints) == (5, 5 * 40, 5)


def test_a_line_tells_which_sample_it_is_of():
    fleet = grown.GrownFleet(7, 300, 1_700_000_000)
    lines = [line.split() for line in fleet.lines(3, 2, 5).splitlines()]
    assert [name.decode() for name, _, _ in lines] == fleet.names[2:5]
    times = np.array([int(timestamp) for _, _, timestamp in lines])
    assert fleet.samples_at(times).tolist() == [3, 3, 3]
