"""Servers, started once for a run of the tests."""

import pytest

from tests import databases, servers


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
    return databases.on(request.param, request.getfixturevalue(fixture))


@pytest.fixture
def broker(rabbitmq_server):
    """Give the settings of a virtual host that is empty."""
    with rabbitmq_server.virtual_host() as name:
        yield rabbitmq_server.settings(name)


@pytest.fixture
def broker_config(rabbitmq_server, tmp_path, monkeypatch):
    """An application's configuration directory that names the private broker."""
    address = rabbitmq_server.address
    (tmp_path / "rabbitmq.conf").write_text(
        f"[connection]\nhost = {address.host}\nport = {address.port}\nvirtual_host = /\n"
        f"[credentials]\nuser = {address.user}\npassword = {address.password}\n"
        f"[management]\nport = {rabbitmq_server.management_port}\n"
    )
    monkeypatch.setenv("APPLICATION_CONFIG_PATH", str(tmp_path))
    return tmp_path
