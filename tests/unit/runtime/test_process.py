import os
import signal
import threading
from pathlib import Path

import pytest

from htmengine.errors import MisuseError
from htmengine.runtime import process


def test_a_data_folder_means_embedded_parts_below_it(tmp_path):
    settings = process.settings_for(None, tmp_path)
    assert settings.bus == "embedded"
    assert settings.bus_path == tmp_path / "bus.sqlite"
    assert settings.repository.path == tmp_path / "repository.sqlite"


def test_a_data_folder_goes_before_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("APPLICATION_CONFIG_PATH", "/nowhere/at/all")
    assert process.settings_for(None, tmp_path).bus_path == tmp_path / "bus.sqlite"


def test_without_anything_the_folder_is_below_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.delenv("APPLICATION_CONFIG_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    assert process.settings_for(None, None).bus_path == Path.cwd() / "htmengine-data" / "bus.sqlite"


def test_a_configuration_and_a_data_folder_together_are_refused(tmp_path):
    with pytest.raises(MisuseError, match="both"):
        process.settings_for(tmp_path, tmp_path)


def test_a_folder_where_no_engine_ran_is_refused_with_advice(tmp_path):
    with pytest.raises(MisuseError, match="no engine has run") as caught:
        process.require_data(process.settings_for(None, tmp_path))
    assert "htmengine up" in caught.value.hint


def test_a_signal_asks_the_program_to_stop_and_handlers_come_back():
    before = signal.getsignal(signal.SIGTERM)
    stop = threading.Event()
    with process.stopping_on_signals(stop):
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(5)
    assert signal.getsignal(signal.SIGTERM) is before
