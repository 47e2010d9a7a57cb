import re

from htmengine.alerts.targets.api import Delivered, Retry
from htmengine.alerts.targets.terminal import Terminal
from tests.unit.alerts.notices import notice
from tests.unit.alerts.targets.receiving import nasty_notice, target_of


def test_a_notice_is_a_line(capsys):
    target = target_of('kind = "terminal"')
    assert target.describe() == {"to": "standard error"}
    assert target.send(notice()) == Delivered()
    said = capsys.readouterr().err
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d Warning: db\.latency;dc=a and 1 other metric: began with .*  https://engine\.example/i/i7\n",
        said,
    )


def test_names_do_nothing_to_a_terminal():
    lines = []
    assert Terminal("t", lines.append).send(nasty_notice()) == Delivered()
    (line,) = lines
    assert line.isprintable()
    assert len(line) < 1100


def test_a_terminal_that_is_gone_is_tried_again():
    def gone(_line):
        raise BrokenPipeError(32, "Broken pipe")

    assert isinstance(Terminal("t", gone).send(notice()), Retry)
