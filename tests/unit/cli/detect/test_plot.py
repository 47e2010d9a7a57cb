import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from htmengine import extras
from htmengine.cli.app import app
from htmengine.cli.detect import detection, plot
from htmengine.htm.model import Model
from tests.unit.cli.detect.fake_model import FakeModel


@pytest.fixture
def draw(monkeypatch, tmp_path):
    monkeypatch.setattr(detection, "Model", FakeModel)

    def draw(ending, rows=500, name="value"):
        lines = [
            f"{1404172800 + 300 * i},{'' if i == 50 else 5000 if i == 300 else i % 50}" for i in range(rows)
        ]
        source = tmp_path / "series.csv"
        source.write_text(f"timestamp,{name}\n" + "\n".join(lines))
        target = tmp_path / f"plot{ending}"
        outcome = CliRunner().invoke(app, ["detect", str(source), "--plot", str(target)])
        assert outcome.exit_code == 0, outcome.output
        return target.read_bytes()

    return draw


def page_data(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page).group(1))


def test_the_page_holds_the_series_and_its_incidents(draw):
    data = page_data(draw(".html").decode())
    times, values, scores = data["columns"]
    assert len(times) == len(values) == len(scores) == 500
    assert values[50] is None
    assert data["incidents"][0]["peak"] == times[300]


def test_the_page_lists_what_the_terminal_shows(draw, monkeypatch):
    monkeypatch.setattr(detection, "Model", Model)  # the one that explains
    data = page_data(draw(".html", rows=1000).decode())
    table = {column["name"]: column["cells"] for column in data["table"]}
    assert table["Peak (UTC)"][0] == "2014-07-02 01:00:00"
    assert table["Value"][0] == "5,000"
    assert re.fullmatch(r"-?[\d.,]+ to -?[\d.,]+", table["Usual"][0])
    assert table["Why"][0] == "far above its level"
    assert {len(cells) for cells in table.values()} == {len(data["incidents"])}


def test_the_page_needs_nothing_from_elsewhere(draw):
    page = draw(".html").decode()
    assert not re.search(r"""(src|href)\s*=|@import|url\(|fetch\(|XMLHttpRequest""", page)


def test_a_name_in_the_data_cannot_end_the_script(draw):
    page = draw(".html", name="</script><b>&").decode()
    assert page_data(page)["valueName"] == "</script><b>&"
    assert "<b>" not in page


def test_the_picture_is_a_png(draw):
    pytest.importorskip("matplotlib")
    assert draw(".png").startswith(b"\x89PNG")


def test_a_picture_without_its_package_is_refused_with_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(extras.util, "find_spec", lambda name: None)
    source = tmp_path / "series.csv"
    source.write_text("time,value\n2014-07-01,1\n")
    outcome = CliRunner().invoke(app, ["detect", str(source), "--plot", str(tmp_path / "plot.png")])
    assert outcome.exit_code == 1
    assert "pip install 'htmengine[plot]'" in outcome.stderr


@pytest.mark.parametrize("seed", range(3))
def test_reducing_keeps_every_extreme_and_gap(seed):
    random = np.random.default_rng(seed)
    values, scores = random.normal(size=50_000), random.random(50_000)
    values[30_000] = np.nan
    series = plot.Series(np.arange(50_000) * 60.0, values, scores)
    reduced = plot.reduce(series, 500, [12_345])
    assert len(reduced.timestamps) <= 5 * 500 + 2
    assert np.nanmax(reduced.values) == np.nanmax(values)
    assert np.nanmin(reduced.values) == np.nanmin(values)
    assert reduced.scores.max() == scores.max()
    assert np.isnan(reduced.values).sum() == 1
    assert 12_345 * 60.0 in reduced.timestamps
    assert (np.diff(reduced.timestamps) > 0).all()


def test_a_short_series_is_not_reduced():
    series = plot.Series(*[np.arange(100.0)] * 3)
    assert plot.reduce(series, 500) is series


def test_no_line_is_drawn_across_a_gap():
    times = np.concatenate([np.arange(50), np.arange(100, 150), [1000, 1001]]) * 60.0
    series = plot.Series(times, np.ones(102), np.ones(102))
    broken, moved = plot.with_gaps(series)
    assert np.flatnonzero(np.isnan(broken.values)).tolist() == [50, 101]
    assert np.flatnonzero(np.isnan(broken.scores)).tolist() == [50, 101]
    assert (np.diff(broken.timestamps) > 0).all()
    assert broken.timestamps[moved].tolist() == times.tolist()


@pytest.mark.parametrize("times", [[5.0], [0.0] * 20, np.arange(20.0), [0.0] * 20 + [60.0]])
def test_a_series_without_a_gap_stays_as_it_is(times):
    series = plot.Series(*[np.array(times)] * 3)
    assert plot.with_gaps(series)[0] is series


def test_values_without_neighbours_are_found():
    nan = np.nan
    values = np.array([1.0, nan, 2.0, 3.0, nan, nan, 4.0, nan, 5.0])
    assert np.flatnonzero(plot._alone(values)).tolist() == [0, 6, 8]
    assert np.flatnonzero(plot._alone(np.array([1.0]))).tolist() == [0]
