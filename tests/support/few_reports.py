"""What a worker of pytest-xdist tells of a test that passes: its call, instead of six messages, which take a millisecond."""

HOOKS = ("pytest_runtest_logreport", "pytest_runtest_logstart", "pytest_runtest_logfinish")
"""By which pytest-xdist sends these. It does not document that: where a worker has none of the kind, it tells everything."""
SLOW_S = 0.01
"""A setup or teardown that takes as long is told, for `--durations`."""


def pytest_sessionstart(session):
    """Let a worker keep to itself what nobody is shown; with -v, tests are shown as they begin."""
    plugins = session.config.pluginmanager
    if session.config.option.verbose > 0:
        return
    for worker in list(plugins.get_plugins()):
        if type(worker).__name__ == "WorkerInteractor" and all(hasattr(worker, hook) for hook in HOOKS):
            plugins.unregister(worker)
            worker.pytest_runtest_logreport = _shown(worker.pytest_runtest_logreport)
            worker.pytest_runtest_logstart = worker.pytest_runtest_logfinish = _nothing
            plugins.register(worker)


def _shown(tell):
    def pytest_runtest_logreport(report):
        if report.when == "call" or not report.passed or report.duration >= SLOW_S:
            tell(report)

    return pytest_runtest_logreport


def _nothing(nodeid, location):
    pass
