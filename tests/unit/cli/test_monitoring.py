"""Commands that change metrics: many at a time, by name or pattern, asked for first, and shown without a change."""

import io
import json

import pytest
import typer
from sqlalchemy import func, select

from htmengine import config
from htmengine.cli import monitoring, selection
from htmengine.cli.monitoring import Scope
from htmengine.errors import ExplainedError, MisuseError
from htmengine.repository import alarms, backfill, hours, metrics, running_totals, schema
from htmengine.repository.alarms import NewAlarm
from htmengine.repository.running_totals import Total
from htmengine.repository.status import MetricStatus
from htmengine.service.context import opened
from tests.unit.repository.rows import add_rows


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    with opened(config.embedded(tmp_path_factory.mktemp("data"))) as context:
        yield context


@pytest.fixture
def context(installation):
    with installation.database.write() as conn:
        conn.execute(schema.metric.delete())
        metrics.create_custom(conn, ["web.a", "web.b", "db.a", "odd[1]"])
    return installation


def statuses(context):
    with context.database.read() as conn:
        return {state.name: MetricStatus(state.status) for state in metrics.custom(conn)}


def monitored(context):
    return {name for name, status in statuses(context).items() if status != MetricStatus.UNMONITORED}


def monitor(context, *names, **options):
    monitoring.monitor(context, Scope(names, **options), None, None, None, None)


def output(capsys):
    printed = capsys.readouterr()
    return [json.loads(line)["metric"] for line in printed.out.splitlines()], printed.err


def names_of(found):
    return [state.name for state in found]


def test_a_name_is_a_pattern_only_where_no_metric_has_it(context):
    assert names_of(selection.select(context, ["odd[1]"]).found) == ["odd[1]"]
    assert names_of(selection.select(context, ["*.a", "web.?", "web.a"]).found) == ["db.a", "web.a", "web.b"]
    assert names_of(selection.select(context, [r"(web|db)\.a"], regex=True).found) == ["db.a", "web.a"]
    assert selection.select(context, ["cpu", "web.*"]).unknown == ["cpu"]


@pytest.mark.parametrize(
    ("text", "regex"), [("app.*", False), ("(", True), (r"(?=w)web\..*", True), ("we", True)]
)
def test_a_pattern_that_fits_nothing_or_cannot_be_used_is_told(context, text, regex):
    with pytest.raises(MisuseError) as raised:
        selection.select(context, [text], regex=regex)
    assert str(raised.value).startswith(text)


def test_metrics_of_a_pattern_get_models_and_those_with_one_are_left(context, capsys):
    monitor(context, "web.a")
    assert output(capsys) == (["web.a"], "")
    monitor(context, "web.*", "new.one")
    assert output(capsys) == (["web.b", "new.one"], "2 metrics got a model; 1 had one.\n")
    assert monitored(context) == {"web.a", "web.b", "new.one"}


def test_one_that_has_a_model_and_is_named_costs_the_others_nothing(context, capsys):
    monitor(context, "web.a")
    with pytest.raises(ExplainedError, match=r"web\.a: has a model already"):
        monitor(context, "web.a", "web.b", "db.a")
    assert monitored(context) == {"web.a", "web.b", "db.a"}


def test_a_dry_run_changes_nothing(context, capsys):
    monitor(context, "web.a")
    output(capsys)
    monitor(context, "*.a", dry_run=True)
    assert output(capsys) == (["db.a"], "1 metric would get a model; nothing was changed.\n")
    monitoring.unmonitor(context, Scope(["*"], dry_run=True))
    assert output(capsys)[0] == ["web.a"]
    monitoring.delete(context, Scope(["web.*"], dry_run=True))
    assert output(capsys)[0] == ["web.a", "web.b"]
    assert monitored(context) == {"web.a"}
    assert len(statuses(context)) == 4


def test_models_of_a_pattern_are_deleted(context, capsys):
    monitor(context, "web.a", "db.a")
    output(capsys)
    monitoring.unmonitor(context, Scope(["web.*"]))
    assert output(capsys) == (["web.a"], "1 metric lost model and scores.\n")
    assert monitored(context) == {"db.a"}
    with pytest.raises(MisuseError, match="nobody: there is no metric"):
        monitoring.unmonitor(context, Scope(["db.a", "nobody"]))
    assert monitored(context) == {"db.a"}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_much_is_asked_for_first(context, capsys, monkeypatch):
    monkeypatch.setattr(selection, "CONFIRMED_FROM", 2)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(MisuseError, match="no terminal"):
        monitor(context, "web.*")
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    with pytest.raises(typer.Abort):
        monitor(context, "web.*")
    assert not monitored(context)
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    monitor(context, "web.*")
    assert monitored(context) == {"web.a", "web.b"}
    monitoring.unmonitor(context, Scope(["*"], yes=True))
    assert not monitored(context)


def test_a_deletion_is_asked_for_whatever_it_is_of(context, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(MisuseError, match=r"Delete.* 1 metric"):
        monitoring.delete(context, Scope(["web.a"]))
    monitoring.delete(context, Scope(["web.*"], yes=True))
    assert output(capsys) == (["web.a", "web.b"], "2 metrics deleted.\n")
    assert set(statuses(context)) == {"db.a", "odd[1]"}


def test_nothing_of_a_deleted_metric_is_left(context, capsys):
    with context.database.write() as conn:
        uid = metrics.states_by_name(conn, ["web.a"])["web.a"].uid
        add_rows(conn, uid, 5)
        alarms.store(conn, [NewAlarm(uid, 5, 1, 6.0, 0.9, why="{}")])
        sums = hours.summed_to(conn, uid, 0, 0, 5)
        hours.store(conn, [sums])
        running_totals.store(conn, {}, {"web.a": Total(1.0, 2.0)})
        backfill.hold(conn, ["web.a"], [5], [1.0])
    monitoring.delete(context, Scope(["web.a"], yes=True))
    with context.database.read() as conn:
        for table in (schema.metric_data, schema.metric_alarm, schema.metric_hour):
            assert conn.scalar(select(func.count()).select_from(table)) == 0
        assert running_totals.read(conn, ["web.a"]) == {}
        assert not backfill.held(conn, "web.a", 10).ids
