import json
import re
from base64 import b64decode

import numpy as np
import pytest
from typer.testing import CliRunner

from htmengine import extras
from htmengine.cli.app import app
from htmengine.cli.detect import plot
from htmengine.detection import scoring
from htmengine.htm.model import Model
from tests.unit.detection.fake_model import FakeModel


@pytest.fixture
def draw(monkeypatch, tmp_path):
    monkeypatch.setattr(scoring, "Model", FakeModel)

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
    columns = data["columns"]
    assert {name: len(column) for name, column in columns.items()} == dict.fromkeys(
        ("time", "value", "log_score", "forecast", "low", "high"), 500
    )
    assert columns["value"][50] is None
    assert (columns["low"][100], columns["high"][100]) == (0, 50)
    assert data["incidents"][0]["peak"] == columns["time"][300]
    assert data["summary"] == (
        "499 rows, 2014-07-01 00:00:00 to 2014-07-02 17:35:00 UTC. 1 incident at or above log score 0.5."
    )


def test_the_page_says_why(draw, monkeypatch):
    monkeypatch.setattr(scoring, "Model", Model)  # the one that explains
    data = page_data(draw(".html", rows=1000).decode())
    found = data["incidents"][0]
    assert (found["line"], found["value"], found["direction"]) == (302, 5000, "up")
    assert found["reason"] == "far above its level"
    assert "5,000" in found["sentence"]
    assert found["usual"][0] < found["usual"][1] < 5000


def test_the_modules_of_the_page_are_complete(draw):
    page = draw(".html").decode()
    modules = json.loads(re.search(r'type="importmap">(.*?)</script>', page).group(1))["imports"]
    texts = {name: b64decode(address.partition(",")[2]).decode() for name, address in modules.items()}
    asked = {
        name for text in texts.values() for name in re.findall(r'\b(?:from|import)\s*"(page/[^"]+)"', text)
    }
    assert asked | {"page/detection.js"} == set(texts)
    assert "page/draw/chart.js" in asked
    assert "import.meta" not in "".join(texts.values())  # such an address leads nowhere


def test_the_page_needs_nothing_from_elsewhere(draw):
    page = draw(".html").decode()
    assert not re.search(r"""(src|href)\s*=|@import|url\(|fetch\(|XMLHttpRequest""", page)
    modules = re.findall(r"base64,([\w+/=]+)", page)
    assert modules
    for module in modules:
        assert not re.search(r"https?://(?!www.w3.org/)|fetch\(|XMLHttpRequest", b64decode(module).decode())


def test_a_name_in_the_data_cannot_end_the_script(draw):
    page = draw(".html", name="</script><b>&").decode()
    assert page_data(page)["value"] == "</script><b>&"
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


def test_values_without_neighbours_are_found():
    nan = np.nan
    values = np.array([1.0, nan, 2.0, 3.0, nan, nan, 4.0, nan, 5.0])
    assert np.flatnonzero(plot._alone(values)).tolist() == [0, 6, 8]
    assert np.flatnonzero(plot._alone(np.array([1.0]))).tolist() == [0]
