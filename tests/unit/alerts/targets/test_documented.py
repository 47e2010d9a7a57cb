"""Every example of the reference, and every setting that it names."""

import json
import re
from pathlib import Path

import pytest

from htmengine.alerts import rules_file
from htmengine.alerts.targets import kinds, webhook
from tests.unit.alerts.notices import notice
from tests.unit.alerts.targets.receiving import made, target_of

PAGE = (Path(__file__).parents[4] / "docs/reference/alert-targets.md").read_text()
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
SECRETS = {
    "ops-webhook": webhook.PREFIX + "QUJD" * 11,
    "pagerduty": "x" * 32,
    "slack-webhook": "https://hooks.slack.example/services/T/B/x",
    "smtp": "geheim",
    "ntfy": "ntfys://ntfy.sh/topic",
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "secrets").mkdir()
    for name, secret in SECRETS.items():
        (tmp_path / "secrets" / name).write_text(secret)
    return tmp_path


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_can_be_used(example, folder):
    path = folder / "alerts.toml"
    path.write_text(example)
    found = rules_file.load(path)
    targets = kinds.make_all(found.targets, folder)
    rules_file.check(path, found)
    assert len(targets) == 1


def test_every_kind_has_its_example():
    assert re.findall(r'^kind = "(.*)"$', PAGE, re.MULTILINE) == list(kinds.READERS)


def settings_of(kind, folder):
    """Return the settings that a kind knows, as it says them of one that it does not know."""
    _, faults = made(f'kind = "{kind}"\nqqqqqq = 1', folder)
    (said,) = [fault for fault in faults if fault.startswith("qqqqqq is not known; known here: ")]
    return set(said.partition("known here: ")[2].split(", "))


@pytest.mark.parametrize("kind", kinds.READERS)
def test_every_setting_is_described(kind, folder):
    described = set(re.findall(r"`([a-z_]+)", PAGE))
    secrets = {name for name in settings_of(kind, folder) if f"{name}_file" in settings_of(kind, folder)}
    assert settings_of(kind, folder) - secrets <= described


def test_the_body_of_a_webhook_is_as_it_is_shown(receiver):
    target_of(f'kind = "webhook"\nurl = "{receiver.url}"').send(notice())
    (shown,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    shown, sent = json.loads(shown), receiver.requests[0].json
    assert shapes(shown) == shapes(sent)
    assert shown["data"]["metrics"][0] == sent["data"]["metrics"][0]


def shapes(value):
    """Return the names that JSON has, without its values."""
    if isinstance(value, dict):
        return {key: shapes(one) for key, one in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [shapes(value[0])]
    return None
