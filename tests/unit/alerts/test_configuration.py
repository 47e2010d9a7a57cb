import logging
import os
import re

import pytest

from htmengine import config
from htmengine.alerts import configuration
from htmengine.alerts.configuration import NOTHING, Follower
from htmengine.config import templates
from htmengine.errors import ConfigError
from tests.unit.alerts.kinds import fake_kind

OPS = '[targets.ops]\nkind = "fake"\nurl = "http://a"\n'
TEAM = '[targets.team]\nkind = "fake"\nurl = "http://b"\n'


@pytest.fixture
def made():
    with fake_kind() as made:
        yield made


@pytest.fixture
def path(tmp_path):
    return tmp_path / "alerts.toml"


def test_a_file_gives_rules_and_opened_targets(path, made):
    path.write_text(OPS + TEAM + '[[rules]]\nname = "db"\nmatch = "db.*"\ntargets = "ops"\n')
    found = configuration.load(path)
    assert [rule.name for rule in found.rules.rules] == ["db"]
    assert list(found.targets.values()) == made
    assert [target.url for target in made] == ["http://a", "http://b"]


def test_faults_of_targets_and_rules_are_told_together_with_their_lines_and_nothing_stays_open(path, made):
    path.write_text(OPS + '[targets.team]\nkind = "phone"\n[[rules]]\nmatch = "db.*"\n')
    with pytest.raises(ConfigError) as raised:
        configuration.load(path)
    lines = str(raised.value).splitlines()
    assert [line.split(":")[1] for line in lines] == ["5", "6"]
    assert 'kind = "phone" is none of' in lines[0]
    assert "has no name" in lines[1]
    assert made[0].closed


def test_a_target_without_a_kind_is_told_what_there_is(path, made):
    path.write_text("[targets.team]\n")
    with pytest.raises(ConfigError, match=r"has no kind; .*fake"):
        configuration.load(path)


def test_a_setting_that_a_kind_does_not_know_is_a_fault(path, made):
    path.write_text(OPS + "rul = 1\n")
    with pytest.raises(ConfigError, match="do you mean url"):
        configuration.load(path)
    assert made[0].closed


def test_without_a_file_there_is_nothing(path):
    assert configuration.current(path) is configuration.current(None) is NOTHING


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        configuration.load(tmp_path)


def test_the_template_tells_nobody_and_is_right_when_its_comments_are_removed(tmp_path):
    templates.write(tmp_path, "traffic")
    path = config.load(tmp_path / "conf").alerts
    assert configuration.load(path) == NOTHING._replace(text=path.read_text())
    path.write_text(re.sub(r"(?m)^#(?! )", "", path.read_text()))
    found = configuration.load(path)
    assert list(found.targets) == ["ops", "mail"]
    assert [rule.name for rule in found.rules.rules] == ["databases", "everything else"]
    configuration.close(found)


class TestAFollower:
    def test_takes_what_is_written_later_and_keeps_targets_that_did_not_change(self, path, made):
        follower = Follower(path)
        assert not follower.look()
        assert follower.is_usable
        path.write_text(OPS)
        assert follower.look()
        (ops,) = made
        assert follower.configuration.targets == {"ops": ops}
        assert not follower.look()
        path.write_text(OPS + TEAM)
        assert follower.look()
        assert follower.configuration.targets == {"ops": ops, "team": made[1]}
        path.write_text(OPS.replace("/a", "/c") + TEAM)
        assert follower.look()
        assert follower.configuration.targets == {"ops": made[2], "team": made[1]}

    @pytest.mark.parametrize("new", ["[targets", "[targets.x]\n", OPS + "[[rules]]\n", None])
    def test_keeps_what_it_has_while_the_new_file_cannot_be_used_and_says_so_once(
        self, path, made, new, caplog
    ):
        path.write_text(OPS)
        follower = Follower(path)
        assert follower.look()
        before = follower.configuration
        if new is None:
            path.unlink()
        else:
            path.write_text(new)
        with caplog.at_level(logging.ERROR):
            assert not follower.look()
            assert not follower.look()
        assert follower.configuration is before
        assert follower.is_usable
        assert not made[0].closed
        (record,) = caplog.records
        assert "the one before stays" in record.getMessage()
        path.write_text(OPS + TEAM)
        assert follower.look()

    def test_knows_nobody_while_the_first_file_cannot_be_used(self, path, made):
        path.write_text("[targets")
        follower = Follower(path)
        assert not follower.look()
        assert not follower.is_usable
        path.write_text(OPS)
        assert follower.look()
        assert follower.is_usable

    def test_reads_again_when_a_calendar_changes_that_the_file_names(self, path, made):
        calendar = path.parent / "holidays.ics"
        path.write_text(
            OPS + '[windows.off]\nical = "holidays.ics"\n[[rules]]\nname = "a"\nmaintenance = "off"\n'
        )
        follower = Follower(path)
        assert not follower.look()
        calendar.write_text(
            "BEGIN:VCALENDAR\r\nPRODID:x\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20240101T000000Z\r\n"
            "DTSTART:20240101T000000Z\r\nDTEND:20240102T000000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
        assert follower.look()
        time_ns = calendar.stat().st_mtime_ns
        os.utime(calendar, ns=(time_ns, time_ns + 10**9))
        assert follower.look()
