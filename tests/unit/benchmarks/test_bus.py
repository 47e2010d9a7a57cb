import json
import sys

from benchmarks import bus


def test_a_small_run_reports_rates_and_hand_overs(monkeypatch, capsys):
    options = ["--messages", "40", "--batches", "4", "20", "--rounds", "1", "--repeats", "2", "--json"]
    monkeypatch.setattr(sys, "argv", ["bus", *options])
    bus.main()
    report = json.loads(capsys.readouterr().out)
    assert [rates["batch"] for rates in report["rates"]] == [4, 20]
    assert all(
        rates["published_per_s"] > 0 < rates["taken_and_acknowledged_per_s"] for rates in report["rates"]
    )
    assert all(report[name]["median_ms"] > 0 for name in report if name.startswith("hand_over"))
