import subprocess
import sys

import pytest

from htmengine import extras
from htmengine.alerts.targets import apprise
from htmengine.alerts.targets.api import Delivered, Retry
from tests.unit.alerts.notices import notice
from tests.unit.alerts.targets.receiving import made, nasty_notice, raw_server, target_of


@pytest.fixture
def url(receiver):
    return f"json://jo:geheim-geheim@127.0.0.1:{receiver.port}/hook?+X-Token=abcdefghijk"


@pytest.fixture
def target(url):
    return target_of('kind = "apprise"\nurl_env = "URL"', environment={"URL": url})


@pytest.mark.parametrize(
    ("sent", "type_"),
    [
        (notice(), "warning"),
        (notice(severity="critical"), "failure"),
        (notice(severity="info"), "info"),
        (notice("resolved"), "success"),
    ],
)
def test_a_message_tells_what_has_happened(receiver, target, sent, type_):
    assert target.send(sent) == Delivered()
    said = receiver.requests[0].json
    assert (said["title"], said["type"]) == (sent.title, type_)
    assert said["message"].startswith("began with db.latency;dc=a")
    assert "https://engine.example/i/i7" in said["message"].splitlines()


def test_names_end_no_line(receiver, target):
    assert target.send(nasty_notice()) == Delivered()
    said = receiver.requests[0].json
    assert said["title"].isprintable()
    assert all(line.isprintable() for line in said["message"].split("\n"))
    assert "\nSubject:" not in said["message"]


def test_what_is_not_taken_is_tried_again(receiver, target):
    receiver.answer(400)
    said = target.send(notice())
    assert isinstance(said, Retry)
    assert "error=400" in said.reason


def test_a_service_that_keeps_us_waiting_is_given_up(monkeypatch):
    monkeypatch.setattr(apprise, "TIMEOUT_S", 0.05)
    with raw_server(lambda connection: None) as port:
        target = target_of(
            'kind = "apprise"\nurl_env = "URL"', environment={"URL": f"json://127.0.0.1:{port}?rto=1"}
        )
        said = target.send(notice())
    assert isinstance(said, Retry)


def test_the_address_is_shown_without_secrets(target):
    shown = f"{target!r} {target.describe()} {vars(target)}"
    assert "json://jo:****@127.0.0.1" in shown
    assert "geheim" not in shown
    assert "abcdefghijk" not in shown


@pytest.mark.parametrize("url", ["geheim://geheim", "geheim", "json://", "mailto://geheim"])
def test_an_address_that_apprise_does_not_know_is_refused_without_it(url):
    target, faults = made('kind = "apprise"\nurl_env = "URL"', environment={"URL": url})
    assert target is None
    assert faults == [
        "url_env cannot be used: the environment variable URL is no address that Apprise knows; "
        "it lists them at https://appriseit.com"
    ]


def test_the_address_does_not_stand_in_the_file():
    _, faults = made('kind = "apprise"\nurl = "json://geheim"')
    assert len(faults) == 1
    assert faults[0].startswith("url is a secret")


def test_without_the_package_a_target_says_which_extra_brings_it(monkeypatch):
    monkeypatch.setattr(extras.util, "find_spec", lambda _name: None)
    target, faults = made('kind = "apprise"\nurl_env = "URL"')
    assert target is None
    assert faults == [
        'kind = "apprise" cannot be used: ops: a target of the kind apprise needs the package apprise, '
        "which is not installed. Install it with `pip install 'htmengine[apprise]'`"
    ]


def test_who_has_no_such_target_does_not_wait_for_it_to_be_imported():
    program = "import sys, htmengine.alerts.targets.kinds; sys.exit('apprise' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
