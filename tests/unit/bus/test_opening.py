import pytest

from htmengine import config
from htmengine.bus import Outgoing
from htmengine.bus.opening import open_bus
from htmengine.errors import ConfigError


def test_the_embedded_bus_lies_in_the_folder_of_the_settings(tmp_path):
    settings = config.embedded(tmp_path / "data")
    bus = open_bus(settings)
    bus.declare_queue("q")
    bus.publish([Outgoing("q", b"a")])
    bus.close()
    again = open_bus(settings)
    assert [status.ready for status in again.status()] == [1]
    again.close()
    assert settings.bus_path.exists()


def test_an_embedded_bus_needs_a_folder():
    with pytest.raises(ConfigError, match="data_dir"):
        open_bus(config.Settings())
