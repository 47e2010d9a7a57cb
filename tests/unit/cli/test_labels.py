import io
import json
from pathlib import Path

import pytest
import typer

from htmengine import config
from htmengine.cli import labels
from htmengine.errors import MisuseError
from htmengine.repository import metrics
from htmengine.service.context import opened


@pytest.fixture
def context(data_folder):
    with opened(config.embedded(data_folder)) as context:
        with context.database.write() as conn:
            metrics.create_custom(conn, ["web.a", "web.b", "db"])
        yield context


def add(context, name, **options):
    given = {
        "begins": "2024-05-01T14:00",
        "ends": "2024-05-01T15:00",
        "kind": "anomaly",
        "note": "",
        "expires": None,
    }
    labels.add(context, name, **given | options)


def listed(context, capsys, name=None):
    capsys.readouterr()
    labels.show(context, name, json=True)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_labels_of_metrics_and_patterns_are_made_listed_and_removed(context, capsys):
    add(context, "web.a", note="disk full")
    assert capsys.readouterr().out == "l1\n"
    add(context, "web.*", kind="ignore")
    first, second = listed(context, capsys)
    assert (first["metric"], first["match"], first["from"], first["note"]) == (
        "web.a",
        None,
        1714572000,
        "disk full",
    )
    assert (second["metric"], second["match"], second["kind"]) == (None, "web.*", "ignore")
    assert [one["kind"] for one in listed(context, capsys, "web.b")] == ["ignore"]
    labels.show(context, None, json=False)
    assert "2024-05-01 14:00:00" in capsys.readouterr().out
    with pytest.raises(MisuseError, match="l9: there is no label of this id; none was removed"):
        labels.remove(context, ["l1", "l9"])
    assert len(listed(context, capsys)) == 2
    labels.remove(context, ["l1", "l2"])
    assert listed(context, capsys) == []


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("nobody", {}, "there is no metric of this name"),
        ("db", {"kind": "odd"}, "--kind odd is not known"),
        ("db", {"begins": "soon"}, '--from "soon" is not a time'),
        ("db", {"ends": "2024-05-01T13:00"}, "it ends before it begins"),
    ],
)
def test_what_cannot_be_a_label_is_told(context, name, options, words):
    with pytest.raises(MisuseError, match=words):
        add(context, name, **options)


def test_what_is_exported_is_imported_once(context, capsys, tmp_path):
    add(context, "web.a", note="disk full")
    add(context, "web.*", kind="normal")
    capsys.readouterr()
    labels.export(context, windows=False)
    file = tmp_path / "labels.csv"
    file.write_text(capsys.readouterr().out)
    before = listed(context, capsys)
    labels.import_(context, file)
    assert json.loads(capsys.readouterr().out) == {"labels": 2, "new": 0, "leftOut": 0}
    labels.remove(context, [one["id"] for one in before])
    labels.import_(context, file)
    again = listed(context, capsys)
    assert [one | {"id": None} for one in again] == [one | {"id": None} for one in before]


def test_windows_are_taken_and_written_and_what_cannot_be_used_is_told(context, capsys, monkeypatch):
    windows = {
        "web.a": [["2014-02-26 22:05:00.000000", "2014-02-27 03:55:00.000000"]],
        "real/db.csv": [["2014-02-26 22:05:00.000000", "2014-02-26 22:04:00.000000"]],
        "nobody": [["2014-02-26 22:05:00.000000", "2014-02-27 03:55:00.000000"]],
    }
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(windows)))
    with pytest.raises(typer.Exit) as stopped:
        labels.import_(context, Path("-"))
    assert stopped.value.exit_code == 1
    said = capsys.readouterr()
    assert json.loads(said.out) == {"labels": 1, "new": 1, "leftOut": 2}
    assert "real/db.csv: window 1: ends before it begins" in said.err
    assert "nobody: window 1: there is no metric nobody" in said.err
    labels.export(context, windows=True)
    assert json.loads(capsys.readouterr().out) == {"web.a": windows["web.a"]}


def test_a_file_that_is_no_file_of_labels_is_told(context, tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(MisuseError, match="has no column metric, from, to"):
        labels.import_(context, file)
