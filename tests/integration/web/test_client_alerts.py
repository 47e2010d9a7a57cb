"""Alerts through the client, against a server."""

from htmengine.client import Client
from tests.unit.web.test_alerts import OPS, made, store  # noqa: F401  # a fixture


def test_the_client_asks_and_does_the_same(served, made):  # noqa: F811  # a fixture
    served.house.context.settings.alerts.write_text(OPS)
    store(served.house, ("ops", "dead", None))
    with Client(served.address) as client:
        (delivery,) = client.deliveries(state="dead")
        assert client.send_again(delivery).state == "pending"
        assert [target.name for target in client.targets()] == ["ops"]
        assert client.try_target("ops").delivered
        assert client.preview_rules(days=2).messages == []
