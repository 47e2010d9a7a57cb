import re
import threading
from pathlib import Path

import msgspec
import pytest

from htmengine.bus import BusUnavailable
from htmengine.bus import opening as bus_opening
from htmengine.config import Broker, Repository, embedded
from htmengine.errors import MisuseError
from htmengine.service import retry
from htmengine.service.context import StartError, opened, require_data, settings_for


def test_a_data_folder_means_embedded_parts_below_it(tmp_path):
    settings = settings_for(None, tmp_path)
    assert settings.bus == "embedded"
    assert settings.bus_path == tmp_path / "bus.sqlite"
    assert settings.repository.path == tmp_path / "repository.sqlite"


def test_a_data_folder_goes_before_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("APPLICATION_CONFIG_PATH", "/nowhere/at/all")
    assert settings_for(None, tmp_path).bus_path == tmp_path / "bus.sqlite"


def test_without_anything_the_folder_is_below_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.delenv("APPLICATION_CONFIG_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    assert settings_for(None, None).bus_path == Path.cwd() / "htmengine-data" / "bus.sqlite"


def test_a_configuration_and_a_data_folder_together_are_refused(tmp_path):
    with pytest.raises(MisuseError, match="both"):
        settings_for(tmp_path, tmp_path)


def test_a_folder_where_no_engine_ran_is_refused_with_advice(tmp_path):
    with pytest.raises(MisuseError, match="no engine has run") as caught:
        require_data(settings_for(None, tmp_path))
    assert "htmengine up" in caught.value.hint


@pytest.fixture
def attempts(monkeypatch):
    """The bus is away at the first two attempts to open it; their number is kept here."""
    made, open_bus = [], bus_opening.open_bus

    def open_later(settings):
        made.append(settings)
        if len(made) < 3:
            raise BusUnavailable("nobody answers")
        return open_bus(settings)

    monkeypatch.setattr(bus_opening, "open_bus", open_later)
    return made


def test_a_service_that_starts_waits_for_what_is_away(tmp_path, attempts):
    with opened(embedded(tmp_path), waiting_as="metric_storer") as context:
        assert context.bus.status()
    assert len(attempts) == 3


def test_a_service_that_waits_can_be_told_to_stop(tmp_path, attempts):
    stop = threading.Event()
    stop.set()
    with (
        pytest.raises(retry.ShutdownRequested),
        opened(embedded(tmp_path), waiting_as="metric_storer", stop=stop),
    ):
        pass
    assert len(attempts) == 1


def test_a_command_says_at_once_what_is_away(tmp_path, attempts):
    with pytest.raises(StartError, match="nobody answers"), opened(embedded(tmp_path)):
        pass
    assert len(attempts) == 1


@pytest.mark.parametrize(
    ("servers", "message", "hint"),
    [
        ({"bus": "rabbitmq"}, r"^RabbitMQ at 127\.0\.0\.1:1: .*refused", r"rabbitmq\.conf"),
        (
            {"repository": Repository(dialect="mysql", port=1)},
            r"^mysql://root@127\.0\.0\.1:1/",
            r"\[repository\]",
        ),
        (
            {"repository": Repository(dialect="postgresql", port=1)},
            r"^postgresql://root@127\.0\.0\.1:1/",
            "server",
        ),
    ],
)
def test_a_server_that_is_away_is_named_with_what_to_look_at(tmp_path, servers, message, hint):
    settings = msgspec.structs.replace(embedded(tmp_path), broker=Broker(host="127.0.0.1", port=1), **servers)
    with pytest.raises(StartError, match=message) as caught, opened(settings):
        pass
    assert re.search(hint, caught.value.hint)
    assert "disk" not in caught.value.hint
