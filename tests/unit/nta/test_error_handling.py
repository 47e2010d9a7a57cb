"""Decorators around functions that may fail."""

import logging
import subprocess
import sys

import pytest

from nta.utils import error_handling


class Failing:
    def __init__(self, failures, error=ValueError):
        self.calls, self.failures, self.error = 0, failures, error

    def __call__(self, value):
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error(f"call {self.calls}")
        return value


@pytest.fixture
def delays(monkeypatch):
    slept = []
    clock = [0.0]

    def sleep(seconds):
        slept.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(error_handling.time, "sleep", sleep)
    monkeypatch.setattr(error_handling.time, "monotonic", lambda: clock[0])
    return slept


def test_a_function_is_called_again_after_delays_that_double_up_to_the_longest(delays):
    function = Failing(5)
    assert error_handling.retry(60, 0.5, 2)(function)(7) == 7
    assert delays == [0.5, 1, 2, 2, 2]


def test_the_last_error_is_raised_when_time_is_up(delays):
    function = Failing(100)
    with pytest.raises(ValueError, match="call 4"):
        error_handling.retry(3, 1, 1)(function)(7)


def test_without_time_there_is_one_call(delays):
    function = Failing(1)
    with pytest.raises(ValueError, match="call 1"):
        error_handling.retry(0, 1, 1)(function)(7)
    assert function.calls == 1


def test_other_errors_and_those_the_filter_refuses_are_raised_at_once(delays):
    function = Failing(3, KeyError)
    with pytest.raises(KeyError):
        error_handling.retry(9, 1, 1, retryExceptions=(ValueError,))(function)(7)
    assert function.calls == 1
    asked = []

    def refuse(error, args, kwargs):
        asked.append((str(error), args, kwargs))
        return False

    with pytest.raises(ValueError, match="call 1"):
        error_handling.retry(9, 1, 1, retryFilter=refuse)(Failing(3))(7)
    assert asked == [("call 1", (7,), {})]


def test_an_error_is_logged_and_raised(caplog):
    with caplog.at_level(logging.ERROR), pytest.raises(ValueError, match="call 1"):
        error_handling.logExceptions(logging.getLogger("test"))(Failing(1))(7)
    assert "failed" in caplog.text


def test_a_failing_function_ends_the_program_with_the_exit_code():
    program = """
from nta.utils.error_handling import abortProgramOnAnyException
import threading
def fail(): raise SystemExit(0)
threading.Thread(target=abortProgramOnAnyException(exitCode=7)(fail)).start()
threading.Event().wait(60)
"""
    assert (
        subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, check=False).returncode == 7
    )
