import os
import re
import signal
import subprocess
import sys
import threading

import msgspec
import pytest

from htmengine.config import Repository, embedded
from htmengine.repository.errors import RepositoryUnavailable
from htmengine.service import program
from htmengine.service.context import opened
from htmengine.service.counters import Counters


def test_a_signal_asks_the_program_to_stop_and_handlers_come_back():
    before = signal.getsignal(signal.SIGTERM)
    stop = threading.Event()
    with program.stopping_on_signals(stop):
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(60)
    assert signal.getsignal(signal.SIGTERM) is before


BUSY = """
import hashlib, signal, threading
from htmengine.service import program
stop = threading.Event()
with program.stopping_on_signals(stop):
    threading.Thread(target=lambda: stop.wait() and print("told", flush=True), daemon=True).start()
    print("ready", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
"""
"""Its main thread is within one call of a library for many minutes."""


@pytest.mark.timeout(100)
def test_a_program_whose_main_thread_is_busy_is_told_too_and_a_second_signal_ends_it():
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=-1, text=True) as program:
        try:
            for said in ("ready\n", "told\n"):
                assert program.stdout.readline() == said
                program.send_signal(signal.SIGTERM)
            assert program.wait(60) in (-signal.SIGTERM, 128 + signal.SIGTERM)
        finally:
            program.kill()


PROGRAM = """
import logging, sys, threading
from htmengine.service import program
program.configure_logging()
logging.getLogger(__name__).info("service.runs")
stop = threading.Event()
with program.stopping_on_signals(stop):
    print("ready", flush=True)
    try:
        stop.wait()
        print("stopping", flush=True)
        threading.Event().wait()
    finally:
        print("closed under the services' hands")
"""


IN_THE_BACKGROUND = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
"""As a shell starts it: Ctrl-C is ignored."""


@pytest.mark.parametrize("started", [(), IN_THE_BACKGROUND])
def test_a_second_ctrl_c_ends_a_program_that_hangs_at_once(started):
    with subprocess.Popen(
        [*started, sys.executable, "-c", PROGRAM], stdout=-1, stderr=-1, text=True
    ) as program:
        try:
            for said in ("ready\n", "stopping\n"):
                assert program.stdout.readline() == said
                program.send_signal(signal.SIGINT)
            out, err = program.communicate(timeout=60)
        finally:
            program.kill()
    assert program.returncode == -signal.SIGINT
    assert (out, "Traceback" in err) == ("", False)


def test_a_service_that_is_run_as_a_module_logs_too():
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=-1, stderr=-1, text=True) as program:
        assert program.stdout.readline() == "ready\n"
        program.kill()
        assert re.fullmatch(r"[-0-9]+T[:.0-9]+Z INFO service.runs\n", program.communicate()[1])


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

    with opened(embedded(tmp_path)) as context:
        program.stage_work(build, Idle.name)(context)
    assert len(made) == 3


def test_services_on_servers_say_how_they_are_in_their_machines_data_folder_if_it_has_one(tmp_path):
    settings = msgspec.structs.replace(
        embedded(tmp_path), bus="rabbitmq", repository=Repository(dialect="mysql")
    )
    assert program.reports_folder(settings) == tmp_path / "services"
    assert program.reports_folder(msgspec.structs.replace(settings, bus_path=None)) is None


def test_a_signal_while_settings_are_read_lets_the_program_end_in_good_order(tmp_path, monkeypatch, caplog):
    seen = []

    def settings_for(directory, data):
        os.kill(os.getpid(), signal.SIGINT)
        return embedded(tmp_path)

    monkeypatch.setattr(program, "settings_for", settings_for)
    code = program.run_program(lambda context: seen.append(context.stop.wait(60)), "metric_storer", argv=[])
    assert (code, seen) in ((0, [True]), (0, []))
