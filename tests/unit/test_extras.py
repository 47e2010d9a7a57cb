"""What needs a package of an extra says which extra to install."""

import pytest

from htmengine import config, extras
from htmengine.bus.opening import open_bus
from htmengine.config import templates
from htmengine.repository.server import server_engine


@pytest.fixture
def nothing_installed(monkeypatch):
    monkeypatch.setattr(extras.util, "find_spec", lambda _name: None)


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize(
    ("bus", "dialect", "extra"),
    [
        ("rabbitmq", "sqlite", "rabbitmq"),
        ("embedded", "mysql", "mysql"),
        ("embedded", "postgresql", "postgresql"),
    ],
)
def test_a_configuration_says_which_extra_it_needs(tmp_path, bus, dialect, extra):
    templates.write(tmp_path, "app", templates.Choices(bus=bus, dialect=dialect, port=2003))
    with pytest.raises(extras.PackageMissing, match=r"application\.conf: \[engine\]") as missing:
        config.load(tmp_path / "conf")
    assert missing.value.hint == f"Install it with `pip install 'htmengine[{extra}]'`."


@pytest.mark.usefixtures("nothing_installed")
def test_settings_that_come_from_elsewhere_say_so_too():
    with pytest.raises(extras.PackageMissing, match="pika"):
        open_bus(config.Settings(bus="rabbitmq"))
    with pytest.raises(extras.PackageMissing, match="psycopg"):
        server_engine(config.Repository(dialect="postgresql", db="app"))
