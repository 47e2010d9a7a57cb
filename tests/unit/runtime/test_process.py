import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from htmengine.bus import BusUnavailable, opening
from htmengine.config import Broker, Repository, embedded
from htmengine.errors import MisuseError
from htmengine.repository.errors import RepositoryUnavailable
from htmengine.runtime import process, service
from htmengine.runtime.counters import Counters


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
        assert stop.wait(60)
    assert signal.getsignal(signal.SIGTERM) is before


PROGRAM = """
import logging, sys, threading
from htmengine.runtime import process
process.configure_logging()
logging.getLogger(__name__).info("service.runs")
stop = threading.Event()
with process.stopping_on_signals(stop):
    print("ready", flush=True)
    try:
        stop.wait()
        print("stopping", flush=True)
        threading.Event().wait()
    finally:
        print("closed under the services' hands")
"""


def test_a_second_ctrl_c_ends_a_program_that_hangs_at_once():
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=-1, stderr=-1, text=True) as program:
        for said in ("ready\n", "stopping\n"):
            assert program.stdout.readline() == said
            program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=30)
    assert program.returncode == -signal.SIGINT
    assert (out, "Traceback" in err) == ("", False)


def test_a_service_that_is_run_as_a_module_logs_too():
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=-1, stderr=-1, text=True) as program:
        assert program.stdout.readline() == "ready\n"
        program.kill()
        assert re.fullmatch(r"[-0-9]+T[:.0-9]+Z INFO service.runs\n", program.communicate()[1])


@pytest.fixture
def attempts(monkeypatch):
    """The bus is away at the first two attempts to open it; their number is kept here."""
    made, open_bus = [], opening.open_bus

    def open_later(settings):
        made.append(settings)
        if len(made) < 3:
            raise BusUnavailable("nobody answers")
        return open_bus(settings)

    monkeypatch.setattr(opening, "open_bus", open_later)
    return made


def test_a_service_that_starts_waits_for_what_is_away(tmp_path, attempts):
    with process.opened(embedded(tmp_path), waiting_as="metric_storer") as context:
        assert context.bus.status()
    assert len(attempts) == 3


def test_a_service_that_waits_can_be_told_to_stop(tmp_path, attempts):
    stop = threading.Event()
    stop.set()
    with (
        pytest.raises(service.Stopped),
        process.opened(embedded(tmp_path), waiting_as="metric_storer", stop=stop),
    ):
        pass
    assert len(attempts) == 1


def test_a_command_says_at_once_what_is_away(tmp_path, attempts):
    with pytest.raises(process.StartError, match="nobody answers"), process.opened(embedded(tmp_path)):
        pass
    assert len(attempts) == 1


class Idle:
    """A stage that has nothing to do."""

    name, queues, max_messages, poll_interval_s, counters = "metric_storer", (), 1, 1.0, Counters()

    def close(self):
        pass


def test_a_stage_that_needs_what_is_away_is_made_later(tmp_path):
    made = []

    def build(context):
        made.append(context)
        if len(made) < 3:
            raise RepositoryUnavailable("nobody answers", hint="")
        context.stop.set()
        return Idle()

    with process.opened(embedded(tmp_path)) as context:
        process.stage_work(build, Idle.name)(context)
    assert len(made) == 3


def test_services_on_servers_say_how_they_are_in_their_machines_data_folder_if_it_has_one(tmp_path):
    settings = msgspec.structs.replace(
        embedded(tmp_path), bus="rabbitmq", repository=Repository(dialect="mysql")
    )
    assert process.reports_folder(settings) == tmp_path / "services"
    assert process.reports_folder(msgspec.structs.replace(settings, bus_path=None)) is None


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
    with pytest.raises(process.StartError, match=message) as caught, process.opened(settings):
        pass
    assert re.search(hint, caught.value.hint)
    assert "disk" not in caught.value.hint
