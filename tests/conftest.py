"""Servers, started once for a run of the tests, and how examples are drawn."""

import logging
import os
import shutil
import uuid
from pathlib import Path

import hypothesis
import pytest

from htmengine import config
from htmengine.service import installation
from htmengine.service.context import opened
from htmengine.system import garbage
from tests import servers
from tests.support import application as applications
from tests.support.examples import FULL
from tests.support.few_reports import pytest_sessionstart
from tests.support.made_once import make_once
from tests.support.plans import refuse_to_read_all_rows
from tests.support.skips import pytest_addoption, pytest_itemcollected, pytest_terminal_summary

__all__ = ["pytest_addoption", "pytest_itemcollected", "pytest_sessionstart", "pytest_terminal_summary"]

# Servers of tests are on this machine, and what programs print is read by tests.
os.environ |= dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1,localhost")
os.environ.pop("FORCE_COLOR", None)

make_once()
refuse_to_read_all_rows()

# What tests write lies in memory where there is room: most databases live for one test, and to wait for the disk takes
# longer than all else that is done with them.
MEMORY, ROOM_BYTES = Path("/dev/shm"), 4 << 30
if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM_BYTES:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

# The same examples each time, and as much time for each as a busy machine takes: a part of them while one works, and all
# in .ci/run, with --hypothesis-profile=ci. To look for others: pytest --hypothesis-profile=explore --hypothesis-seed=N
hypothesis.settings.register_profile("explore", deadline=None, max_examples=1000)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, max_examples=FULL)
hypothesis.settings.register_profile("quick", deadline=None, derandomize=True, max_examples=FULL // 10)
hypothesis.settings.load_profile("quick")


def _raise(handler, record):
    raise  # `emit` calls this where it has caught what went wrong


# A line that cannot be logged fails its test. logging would print a traceback and go on.
logging.Handler.handleError = _raise

# Whatever a test asks for of these, it runs on the worker of pytest-xdist that has it already.
GROUPS = {
    "rabbitmq_server": "rabbitmq",
    "application_on_servers": "rabbitmq",
    "application_on_embedded_parts": "embedded",
    "mariadb_server": "mysql",
    "postgresql_server": "postgresql",
    "encrypting": "encrypting",
    "mysql": "mysql",
    "postgresql": "postgresql",
}
"""By the name of a fixture, or by that of the parameter that asks for it. The first that fits counts."""


@pytest.hookimpl(tryfirst=True)  # the plugin reads the marks in the same hook
def pytest_collection_modifyitems(items):
    for item in items:
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        needed = {*item.fixturenames, *(name for name in parameters if isinstance(name, str))}
        group = next((group for name, group in GROUPS.items() if name in needed), None)
        if group or any(made[-1].scope == "module" for made in item._fixtureinfo.name2fixturedefs.values()):
            item.add_marker(pytest.mark.xdist_group(group or item.nodeid.partition("::")[0]))


def pytest_collection_finish(session):
    """Let the collector of garbage work rarely, and pass over what lives until the end: modules, and thousands of tests."""
    if session.config.getoption(
        "loadgroup", False
    ):  # or each worker would start every server, and nobody would know
        assert all("@" in item.nodeid for item in session.items if item.get_closest_marker("xdist_group"))
    garbage.collect_rarely_and_freeze()


@pytest.fixture(autouse=True)
def logging_as_before():
    """Undo how a program that a test runs in this process logs: to a standard error that ends with the test."""
    loggers = [logging.getLogger(name) for name in ("htmengine", "__main__")]
    before = [(logger, logger.handlers[:], logger.propagate, logger.level) for logger in loggers]
    yield
    for logger, handlers, propagate, level in before:
        logger.handlers[:] = handlers
        logger.propagate = propagate
        if logger.level != level:  # which costs more than many a test
            logger.setLevel(level)


@pytest.fixture(scope="session")
def rabbitmq_server(tmp_path_factory):
    with servers.rabbitmq(tmp_path_factory.mktemp("rabbitmq") / "broker") as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server(tmp_path_factory):
    with servers.mariadb(tmp_path_factory.mktemp("mariadb")) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory):
    with servers.postgresql(tmp_path_factory.mktemp("pg") / "server") as server:
        yield server


@pytest.fixture(scope="session", params=["mysql", "postgresql"])
def database_server(request):
    """Give the settings of a database server, without a database."""
    fixture = {"mysql": "mariadb_server", "postgresql": "postgresql_server"}[request.param]
    return request.getfixturevalue(fixture).settings()


@pytest.fixture
def broker(rabbitmq_server):
    """Give the settings of a virtual host that is empty."""
    with rabbitmq_server.virtual_host() as name:
        yield rabbitmq_server.settings(name)


@pytest.fixture
def broker_config(rabbitmq_server, tmp_path, monkeypatch):
    """An application's configuration directory that names the private broker."""
    return named_by_application(rabbitmq_server.settings(), tmp_path, monkeypatch)


@pytest.fixture
def encrypted_broker_config(rabbitmq_server, tmp_path, monkeypatch):
    """The same, with TLS."""
    broker = rabbitmq_server.encrypted(rabbitmq_server.settings())
    return named_by_application(broker, tmp_path, monkeypatch)


def named_by_application(broker, folder, monkeypatch):
    tls = f"[tls]\nenabled = true\nca_file = {broker.ca_file}\n" if broker.tls else ""
    (folder / "rabbitmq.conf").write_text(
        f"[connection]\nhost = {broker.host}\nport = {broker.port}\nvirtual_host = {broker.virtual_host}\n"
        f"[credentials]\nuser = {broker.user}\npassword = {broker.password}\n"
        f"[management]\nport = {broker.management_port}\n{tls}"
    )
    monkeypatch.setenv("APPLICATION_CONFIG_PATH", str(folder))
    return folder


@pytest.fixture(scope="session")
def application_on_servers(request, tmp_path_factory):
    """Give the documented application, supervised: the one that APPLICATION_CONFIG_PATH names, or one of our own."""
    application = applications.named()
    if application is not None:
        yield application
        return
    server, database = (request.getfixturevalue(f"{name}_server") for name in ("rabbitmq", "mariadb"))
    with (
        server.virtual_host() as virtual_host,
        applications.supervised(
            tmp_path_factory.mktemp("servers"),
            broker=server.settings(virtual_host),
            database_port=database.address.port,
        ) as application,
    ):
        yield application
        installation.close()


@pytest.fixture(scope="session")
def application_on_embedded_parts(tmp_path_factory):
    """Give the documented application, supervised, without servers."""
    folder = tmp_path_factory.mktemp("embedded")
    with applications.supervised(folder, data=folder / "data") as application:
        yield application
        installation.close()


@pytest.fixture(scope="session")
def new_installation(tmp_path_factory):
    """Give the folder of an installation that is new, to be copied: to make one takes longer than most tests."""
    folder = tmp_path_factory.mktemp("installation")
    with opened(config.embedded(folder)):
        pass
    return folder


@pytest.fixture
def data_folder(tmp_path, new_installation):
    """Give the folder of a new installation of the test's own."""
    shutil.copytree(new_installation, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def name():
    """Give a metric's name that nobody has."""
    return f"foo.bar.{uuid.uuid4().hex}"


@pytest.fixture
def application(application_on_servers, monkeypatch):
    """Give the application on servers, with its environment."""
    for name, setting in application_on_servers.environment.items():
        monkeypatch.setenv(name, setting)
    return application_on_servers
