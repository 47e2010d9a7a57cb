"""What the doctor says of alerts."""

import re
import time

import pytest

from htmengine import config
from htmengine.admin import health
from htmengine.alerts import deliveries
from htmengine.alerts.notice import trial_notice
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
