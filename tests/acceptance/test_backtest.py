"""A real engine's history, looked at with other models and rules."""

import math
import random

import pytest

from tests.acceptance.engine import Folder, wait_until

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

START = 1_700_000_100
STEP_S = 300
ROWS = 3000
SPIKES = (2000, 2300, 2600, 2900)


def test_variants_are_compared_by_what_people_have_marked(tmp_path):
    chance = random.Random(1)
    folder = Folder(tmp_path / "data")
    names = ("web.a", "web.b")
    lines = [
        f"{name} {50 + 20 * math.sin(i / 288 * 2 * math.pi) + chance.gauss(0, 1) + 60 * (i in SPIKES)!r} {START + STEP_S * i}"
        for i in range(ROWS)
        for name in names
    ]
    labels = tmp_path / "labels.csv"
    rows = [f"{name},{START + STEP_S * i - 60},{START + STEP_S * i + 60}" for i in SPIKES for name in names]
    labels.write_text("\n".join(["metric,from,to", *rows, f"other,{START},{START}", ""]))
    lone = tmp_path / "lone.toml"
    lone.write_text(
        '[targets.me]\nkind = "terminal"\n\n'
        '[[rules]]\nname = "everything"\nat_least = { rows = 1, metrics = 1 }\ntargets = "me"\n\n'
    )
    strict = tmp_path / "strict.toml"
    strict.write_text(
        '[targets.me]\nkind = "terminal"\n\n[[rules]]\nname = "many"\nat_least = { rows = 9, metrics = 9 }\ntargets = "me"\n'
    )
    begin, end = "2023-11-17", "2023-11-26"
    with folder.up():
        folder.send(lines)
        for name in names:
            folder.wait_for_scores(name, ROWS)
        wait_until(
            lambda: (
                [(0,)]
                < folder.select("SELECT count(*) FROM metric_alarm")
                == folder.select("SELECT count(*) FROM incident_alarm")
            ),
            "all alarms in incidents",
        )
        found = folder.json(
            *("backtest", "web.*", "--since", begin, "--until", end, "--labels", labels, "--json"),
            *("--model", "default", "--model", "nupic", "--rules", lone, "--rules", strict),
        )
        folder.cli("labels", "import", labels, code=1)  # of one metric that there is not
        kept = folder.json("backtest", "web.*", "--since", begin, "--until", end, "--rules", lone, "--json")
        table = folder.cli("backtest", "--since", begin, "--until", end)
        said = folder.fails("backtest", "none.*", code=2)
        of_model = folder.fails("backtest", "--model", "gpt", code=2)
    by_name = {one["variant"]: one for one in found["variants"]}
    assert list(by_name) == [
        f"{what}, {rules}" for what in ("as it was", "default", "nupic") for rules in (lone, strict)
    ]
    for what in ("as it was", "default"):
        one = by_name[f"{what}, {lone}"]
        assert (one["metrics"], one["labels"]) == (2, len(SPIKES) * 2)
        assert one["alarmed"] == one["found"] >= 6
        assert one["recall"] == one["found"] / one["labels"]
        assert one["precision"] >= 0.5
        assert one["delay_s"] == 60.0
        assert by_name[f"{what}, {strict}"]["notices"] == 0
        assert by_name[f"{what}, {strict}"]["alarmed"] == one["alarmed"]
    assert kept["variants"][0] == by_name[f"as it was, {lone}"] | {"variant": f"as it was, {lone}"}
    assert "as it was" in table
    assert "No monitored metric fits" in said
    assert "gpt is no model" in of_model
