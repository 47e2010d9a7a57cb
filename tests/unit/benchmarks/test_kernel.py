import json
import sys

import numpy as np
import pytest

from benchmarks import kernel
from htmengine.htm import params

TIMES = 300.0 * np.arange(700)
VALUES = np.random.default_rng(1).normal(100.0, 5.0, 700)


def test_one_model_tells_its_cost_and_its_state():
    found = kernel.one_model(params.parameter_set("default"), TIMES, VALUES)
    assert found["us_per_record_median"] > 0.0
    assert 0 < found["state_bytes_zstd"] < found["state_bytes"]


@pytest.mark.parametrize(("trained", "records"), [(0, 3 * 700), (690, 3 * 10)])
def test_many_models_tell_cost_and_state_and_may_have_scored_before(trained, records):
    found = kernel.many_models(params.parameter_set("default"), TIMES, VALUES, 3, trained)
    assert (found["models"], found["records"]) == (3, records)
    assert found["us_per_record_median"] > 0.0
    assert 0 < found["state_bytes_zstd"] < found["state_bytes"] <= found["state_bytes_max"]


def test_a_fleet_of_trained_models_has_copies(monkeypatch):
    monkeypatch.setattr(kernel, "DIFFERENT", 2)
    few, many = (
        kernel.many_models(params.parameter_set("default"), TIMES, VALUES, count, 690) for count in (2, 5)
    )
    assert many["records"] == 50
    assert many["state_bytes"] == few["state_bytes"]


def test_records_are_those_behind_the_trained_ones(monkeypatch, capsys, tmp_path):
    file = tmp_path / "some.csv"
    rows = (f"2024-01-01 {i // 60:02}:{i % 60:02}:00,{i % 7}" for i in range(100))
    file.write_text("\n".join(["timestamp,value", *rows]))
    options = ["--csv", str(file), "--models", "2", "--trained", "50", "--records", "5", "--json"]
    monkeypatch.setattr(sys, "argv", ["kernel", *options])
    kernel.main()
    assert json.loads(capsys.readouterr().out)["records"] == 10
    monkeypatch.setattr(sys, "argv", ["kernel", "--csv", str(file), "--trained", "100"])
    with pytest.raises(SystemExit):
        kernel.main()
    assert "leaves no row of 100" in capsys.readouterr().err
