"""Alerts through the client, against a server."""

import pytest

from htmengine.client import ApiError, Client
from tests.integration.web.test_alerts import OPS, made, store  # noqa: F401  # a fixture


def test_the_client_asks_and_does_the_same(served, made):  # noqa: F811  # a fixture
    served.server.context.settings.alerts.write_text(OPS)
    store(served.server, ("ops", "dead", None))
    with Client(served.address) as client:
        (delivery,) = client.deliveries(state="dead")
        assert client.send_again(delivery).state == "pending"
        assert [target.name for target in client.targets()] == ["ops"]
        assert client.try_target("ops").delivered
        assert client.preview_rules(days=2).messages == []


def test_the_client_changes_rules_targets_and_windows_that_it_has_seen(served, made):  # noqa: F811
    path = served.server.context.settings.alerts
    path.write_text("# ours\n" + OPS)
    night = {"name": "night", "cron": "0 22 * * *", "duration": "8h"}
    with Client(served.address) as client:
        assert len(client.preview_window(**night).next) == 5
        changed = client.change_alert_rules(
            lambda found: {
                "windows": [*(found.written_windows or []), night],
                "rules": [{"name": "all", "maintenance": ["night"]}],
            }
        )
        assert [window.name for window in changed.windows] == ["night"]
        assert client.alert_rules().text == path.read_text()
        assert path.read_text().startswith("# ours\n[targets.ops]")

        def too_late(found):
            path.write_text(found.text + "# another\n")
            return {"targets": []}

        with pytest.raises(ApiError) as caught:
            client.change_alert_rules(too_late)
        assert caught.value.status == 412
