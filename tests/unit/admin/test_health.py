"""What the doctor says of alerts, and of receivers of scores."""

import re
import time
from types import SimpleNamespace

import pytest
from sqlalchemy import update

from htmengine import config
from htmengine.admin import health
from htmengine.alerts import deliveries
from htmengine.alerts.notice import trial_notice
from htmengine.repository import metrics, schema, scores, writeback
from htmengine.service.context import Context
from tests.unit.alerts.kinds import fake_kind
from tests.unit.incidents.conftest import database, fresh, template  # noqa: F401  # fixtures

TWO = "".join(f'[targets.{name}]\nkind = "fake"\nurl = "http://a"\n' for name in ("ops", "team"))


@pytest.fixture
def findings(database, tmp_path):  # noqa: F811  # a fixture
    """Give what returns the findings with a file, and with rows of the outbox in these states."""

    def of(text, *rows, disabled=()):
        now = time.time()
        path = tmp_path / "alerts.toml"
        if text is not None:
            path.write_text(text)
        context = Context(settings=config.Settings(alerts=path), bus=None, database=database, shards=1)
        with database.write() as conn, fake_kind() as made:
            for id_, (target, state, age_s) in enumerate(rows, 1):
                said = trial_notice(f"t{id_}", "x", now)
                row = deliveries.new(id_, target, said, now - age_s, incident=1)
                deliveries.add(conn, [row._replace(state=state, reason="HTTP 503", tries=1)])
            for target in disabled:
                deliveries.disable(conn, target, 1, "HTTP 410")
            found = health._untold(context, conn)
        assert all(target.closed for target in made)
        return found

    return of


def test_without_a_file_and_with_one_that_works_nothing_is_found(findings):
    assert findings(None) == []
    assert findings(TWO, ("ops", "delivered", 10)) == []


def test_a_file_with_faults_is_told_with_its_lines(findings):
    (said,) = findings(TWO + "[[rules]]\n")
    assert "alerts.toml:7: rules 1: has no name" in said
    assert "goes by what it said before" in said


def test_a_target_that_takes_nothing_is_told_with_the_reason(findings):
    (said,) = findings(TWO, ("ops", "retrying", 720), ("team", "delivered", 10))
    assert "target ops" in said
    assert re.search(r"12 min( 1 s)?: HTTP 503", said)  # rows have whole seconds


def test_a_target_that_wants_nothing_any_more_is_told(findings):
    (said,) = findings(TWO, disabled=["team", "one of before"])
    assert "target team" in said
    assert "HTTP 410" in said


def test_notices_that_were_given_up_lately_are_counted(findings):
    (said,) = findings(TWO, ("ops", "dead", 10), ("ops", "dead", 8 * 86_400), ("ops", "delivered", 5))
    assert said.startswith("1 notice could not be delivered")


def test_a_receiver_of_scores_that_takes_nothing_is_told_with_what_waits(database):  # noqa: F811  # a fixture
    with database.write() as conn:
        uids = metrics.create_custom(conn, ["web.a", "web.b", "db.a"])
        conn.execute(update(schema.metric).values(last_rowid=5))
        scores.advance_watermarks(conn, [(uid, 0, 0, 3) for uid in uids.values()])
        writeback.begin(conn, "graphite", history=True)
        assert len(uids) == 3
    settings = config.Settings(writeback=config.Writeback(graphite=("127.0.0.1", 2003), match="web.*"))
    context = Context(settings=settings, bus=None, database=database, shards=1)

    def of(seconds, *, alive=True):
        service = SimpleNamespace(
            name="writeback", alive=alive, counters={"seconds_without_graphite": seconds}
        )
        with database.read() as conn:
            return health._not_written_back(context, conn, [service])

    assert of(0) == []
    assert of(720, alive=False) == []
    (said,) = of(720)
    assert said.startswith("[writeback] graphite has taken nothing for 12 min: 6 scored rows wait")


@pytest.mark.parametrize(
    ("models", "said"),
    [
        (1, "Memory: 1 model takes"),
        (1000, "all find room."),
        (3000, "all find room, those packed that are used least."),
        (10_000, "find room, the others are read for each of their samples."),
    ],
)
def test_whether_all_models_find_room_is_said(models, said):
    memory = config.Scheduler(resident_bytes=150 << 20)
    found = health.Memory(models, health.need(models), memory.resident_bytes, memory.model_bytes)
    assert said in found.sentence
    assert "resident_mebibytes, 150, leaves" in found.sentence
    assert found.document()["models"] == models
