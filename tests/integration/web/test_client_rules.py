"""The file of rules for new metrics through the client, against a server."""

import pytest

from htmengine import config
from htmengine.client import ApiError, Client
from htmengine.service.context import opened

RULES = "[web]\npattern = web.*\naction = monitor\n"


@pytest.fixture
def context(data_folder):
    (data_folder / "monitor-rules.conf").write_text(RULES)
    with opened(config.embedded(data_folder)) as context:
        yield context


def test_the_client_changes_the_file_as_it_stands(served):
    path = served.server.context.settings.storer.rules
    with Client(served.address) as client:
        assert client.monitor_rules().text == RULES
        assert client.change_monitor_rules(lambda text: text + "limit = 5\n").rules[0].limit == 5
        assert path.read_text() == RULES + "limit = 5\n"
        with pytest.raises(ApiError) as refused:
            client.change_monitor_rules(lambda text: text + "silence = x\nmin = 0\n")
        assert refused.value.status == 400
        assert len(refused.value.errors) == 2

        def meanwhile(text):
            path.write_text(RULES)
            return text

        with pytest.raises(ApiError) as refused:
            client.change_monitor_rules(meanwhile)
        assert refused.value.status == 412
        assert path.read_text() == RULES
