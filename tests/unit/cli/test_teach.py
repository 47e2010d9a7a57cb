import json
import time

import pytest

from htmengine import config
from htmengine.cli import teach
from htmengine.errors import MisuseError
from htmengine.htm import params
from htmengine.incidents.teaching import CannotTeach
from htmengine.model_swapper import definition
from htmengine.repository import alarms, identity, metrics, samples, scores
from htmengine.repository.alarms import NewAlarm
from htmengine.repository.status import MetricStatus
from htmengine.service.context import opened

ROWS = 300
SPAN = {"begins": "2023-11-14T22:13:20", "ends": "2023-11-14T22:20:00"}


@pytest.fixture
def context(data_folder):
    with opened(config.embedded(data_folder)) as context:
        times = [1_700_000_000 + 60 * row for row in range(ROWS)]
        values = [float(row % 7 + 90 * (row == 200)) for row in range(ROWS)]
        digests = list(identity.extended(identity.start(0, None), times, values))
        with context.database.write() as conn:
            uid = metrics.create_custom(conn, ["db"])["db"]
            metrics.start_model(
                conn,
                uid,
                parameters="{}",
                model_params=definition.render(params.parameter_set("default")),
                status=MetricStatus.ACTIVE,
            )
            samples.advance_last(conn, [samples.Advance(uid, 0, ROWS, times[-1], digests[-1])])
            samples.append(conn, [uid] * ROWS, range(1, ROWS + 1), times, values, digests)
        yield context


def test_it_is_previewed_taught_listed_and_taken_back(context, capsys):
    teach.preview(context, "db", **SPAN, how="values", anomaly=False, json=False)
    said = capsys.readouterr()
    assert said.out.startswith(
        "It would have silenced 0 alarms of db, and added 0 alarms, since 2023-11-14 22:13:20"
    )
    assert "300 rows were scored again" in said.err
    teach.preview(context, "db", **SPAN, how="forget", anomaly=True, json=True)
    assert json.loads(capsys.readouterr().out)["rowsReplayed"] == 2 * ROWS
    teach.teach(context, "db", **SPAN, how="forget", kind="anomaly", note="", expires=None)
    said = capsys.readouterr()
    assert said.out == "l1\n"
    assert "It counts from row 301 of db on" in said.err
    with pytest.raises(CannotTeach, match="within the last hour"):
        teach.teach(context, "db", **SPAN, how="values", kind="normal", note="", expires=None)
    teach.show(context, "db", json=False)
    assert "anomaly (forget)" in capsys.readouterr().out
    teach.undo(context, "l1")
    with pytest.raises(MisuseError, match="taken back already"):
        teach.undo(context, "l1")
    capsys.readouterr()
    teach.show(context, None, json=True)
    (one,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (one["how"], one["effectiveRowid"], one["silenced"]) == ("forget", 301, 0)
    assert one["undone"] == pytest.approx(time.time(), abs=3600)


def test_the_past_is_told_as_what_was_taught_makes_it(context, capsys):
    with pytest.raises(CannotTeach, match="db was taught nothing"):
        teach.past(context, "db", json=False)
    teach.teach(context, "db", **SPAN, how="values", kind="normal", note="", expires=None)
    with context.database.write() as conn:
        uid = metrics.states_by_name(conn, ["db"])["db"].uid
        scores.advance_watermarks(conn, [scores.WatermarkAdvance(uid, 0, 0, ROWS)])
        alarms.store(conn, [NewAlarm(uid, 100, 1_700_005_940, 1.0, 0.7)])
    capsys.readouterr()
    teach.past(context, "db", json=False)
    said = capsys.readouterr()
    assert "1 alarm would not have been, and" in said.out
    assert "2023-11-14 23:52:20" in said.out
    assert "300 rows, from 2023-11-14 22:13:20 UTC on, scored again" in said.err
    teach.past(context, "db", json=True)
    assert [one["rowid"] for one in json.loads(capsys.readouterr().out)["gone"]] == [100]


def test_what_is_no_way_to_teach_is_told(context):
    with pytest.raises(MisuseError, match="--how odd is not known"):
        teach.preview(context, "db", **SPAN, how="odd", anomaly=False, json=False)
    with pytest.raises(MisuseError, match="l7: no model was taught by this"):
        teach.undo(context, "l7")
