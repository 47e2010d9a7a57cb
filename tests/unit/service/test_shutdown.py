"""How long the end of a program may take."""

import subprocess
import sys

from htmengine.service.shutdown import Progress, outlasted


class Clock:
    """Time that passes while somebody waits."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def waiting(clock, *, until=float("inf"), meanwhile=lambda: None):
    """Return what waits for an end that comes at some time."""

    def ended(timeout_s):
        clock.now += timeout_s
        meanwhile()
        return clock.now >= until

    return ended


def test_an_end_that_comes_late_is_waited_for_as_long_as_something_moves():
    clock = Clock()
    progress = Progress(clock)
    assert outlasted(waiting(clock, until=900.0, meanwhile=progress.moved), progress, standstill_s=20)
    assert clock.now >= 900


def test_a_standstill_ends_the_waiting():
    clock = Clock()
    progress = Progress(clock)
    assert not outlasted(waiting(clock), progress, standstill_s=20)
    assert 20 <= clock.now < 21


def test_what_stood_still_before_the_end_began_does_not_count():
    clock = Clock()
    progress = Progress(clock)
    clock.now = 1000.0
    assert outlasted(waiting(clock, until=1010.0), progress, standstill_s=20)


def test_how_far_it_is_is_said_now_and_then_and_not_twice():
    clock = Clock()
    progress = Progress(clock)
    said = []

    def move():
        progress.moved("" if clock.now > 13 else f"{int(clock.now)} of 12 saved")

    assert outlasted(waiting(clock, until=30.0, meanwhile=move), progress, standstill_s=20, say=said.append)
    assert said == ["5 of 12 saved", "10 of 12 saved", "12 of 12 saved"]


PROGRAM = """
import threading
from htmengine.service import program, shutdown
program.configure_logging()
stop = threading.Event()
with program.stopping_on_signals(stop), shutdown.in_time(stop, shutdown.Progress(), "x", standstill_s=0.1):
    print("ready", flush=True)
    while True:  # as a read from a server that is silent: no signal ends it
        threading.Event().wait(1000)
"""


def test_a_program_that_hangs_ends_after_a_signal_and_says_why():
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=-1, stderr=-1, text=True) as program:
        assert program.stdout.readline() == "ready\n"
        program.terminate()
        _, err = program.communicate(timeout=60)
    assert program.returncode == 1
    assert "x.does_not_stop" in err
