from types import SimpleNamespace

import pytest
from _pytest.config import PytestPluginManager

from tests.support.few_reports import SLOW_S, pytest_sessionstart


class Worker:
    """What a worker of pytest-xdist does, in its own words."""

    def __init__(self):
        self.shown = []

    def pytest_runtest_logstart(self, nodeid, location):
        self.shown.append("start")

    def pytest_runtest_logreport(self, report):
        self.shown.append(report.when)

    def pytest_runtest_logfinish(self, nodeid, location):
        self.shown.append("finish")


class WorkerInteractor(Worker): ...


class WorkerOfAnotherVersion(Worker): ...


def shown(worker, *, verbose=0, failed=None, slow=None):
    """Return what a worker tells of a test."""
    plugins = PytestPluginManager()
    plugins.register(worker)
    option = SimpleNamespace(verbose=verbose)
    pytest_sessionstart(SimpleNamespace(config=SimpleNamespace(pluginmanager=plugins, option=option)))
    plugins.hook.pytest_runtest_logstart(nodeid="", location=())
    for when in ("setup", "call", "teardown"):
        report = SimpleNamespace(when=when, passed=when != failed, duration=SLOW_S * (when == slow))
        plugins.hook.pytest_runtest_logreport(report=report)
    plugins.hook.pytest_runtest_logfinish(nodeid="", location=())
    return worker.shown


EVERYTHING = ["start", "setup", "call", "teardown", "finish"]


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ({}, ["call"]),
        ({"failed": "setup"}, ["setup", "call"]),
        ({"failed": "teardown"}, ["call", "teardown"]),
        ({"slow": "setup"}, ["setup", "call"]),
        ({"verbose": 1}, EVERYTHING),
    ],
)
def test_of_a_test_that_passes_a_worker_tells_the_call(what, expected):
    assert shown(WorkerInteractor(), **what) == expected


def test_a_worker_of_another_version_tells_everything():
    assert shown(WorkerOfAnotherVersion()) == EVERYTHING


def test_a_worker_with_other_hooks_is_left_alone(monkeypatch):
    monkeypatch.delattr(Worker, "pytest_runtest_logfinish")
    assert shown(WorkerInteractor()) == EVERYTHING[:-1]
