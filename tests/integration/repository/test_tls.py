"""Encrypted connections: the server's certificate is checked, and nothing is said to a server that has none."""

import os
import shutil
import tempfile
from pathlib import Path

import msgspec
import psycopg
import pymysql
import pytest

from htmengine.errors import ConfigError
from htmengine.repository import getBaseConnectionArgsDict
from htmengine.repository.errors import RepositoryError
from htmengine.repository.opening import open_database
from tests import servers

pytestmark = pytest.mark.slow

CIPHER = {
    "mysql": "SELECT variable_value FROM information_schema.session_status WHERE variable_name = 'Ssl_cipher'",
    "postgresql": "SELECT cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
}
DATABASE = {"mysql": "mysql", "postgresql": "postgres"}


@pytest.fixture(scope="module", params=["mysql", "postgresql"])
def encrypting(request):
    """Give the settings of a server that encrypts, and a certificate that is not its own."""
    folder = Path(tempfile.mkdtemp(prefix="htmengine-tls-"))  # the server's user enters it
    own, key = servers.make_certificate(folder, "own", "IP:127.0.0.1")
    other, _ = servers.make_certificate(folder, "other", "IP:127.0.0.1")
    if request.param == "mysql":
        server = servers.mariadb(folder / "server", f"--ssl-cert={own}", f"--ssl-key={key}")
    else:
        if os.geteuid() == 0:
            folder.chmod(0o755)
            shutil.chown(key, "postgres")
        server = servers.postgresql(
            folder / "server", "ssl=on", f"ssl_cert_file={own}", f"ssl_key_file={key}"
        )
    with server as database:
        plain = msgspec.structs.replace(database.settings(), db=DATABASE[request.param])
        yield msgspec.structs.replace(plain, tls=True, ca_file=own), other
    shutil.rmtree(folder)


def cipher(settings):
    database = open_database(settings)
    try:
        with database.read() as conn:
            return conn.exec_driver_sql(CIPHER[settings.dialect]).scalar()
    finally:
        database.close()


def test_a_connection_is_encrypted(encrypting):
    assert cipher(encrypting[0])


@pytest.mark.filterwarnings("ignore:.*passwd:DeprecationWarning")  # the documented name
def test_an_application_that_connects_by_itself_is_given_what_encrypts(encrypting):
    settings, _ = encrypting
    driver, database = {"mysql": (pymysql, "database"), "postgresql": (psycopg, "dbname")}[settings.dialect]
    arguments = getBaseConnectionArgsDict(settings) | {database: settings.db}
    with driver.connect(**arguments) as connection, connection.cursor() as cursor:
        cursor.execute(CIPHER[settings.dialect])
        assert cursor.fetchone()[0]


@pytest.mark.parametrize("trusted", ["another", "the system's"])
def test_a_server_that_is_not_trusted_is_refused_for_good(encrypting, trusted):
    settings, other = encrypting
    settings = msgspec.structs.replace(settings, ca_file=other if trusted == "another" else None)
    with pytest.raises(RepositoryError, match=r"(?i)certificate"):
        cipher(settings)


def test_a_server_without_encryption_is_refused(database_server, encrypting):
    settings = msgspec.structs.replace(
        database_server, db=DATABASE[database_server.dialect], tls=True, ca_file=encrypting[0].ca_file
    )
    with pytest.raises(RepositoryError, match="SSL"):
        cipher(settings)


def test_files_that_cannot_be_used_are_named(database_server, tmp_path):
    missing = tmp_path / "missing.pem"
    with pytest.raises(ConfigError, match=str(missing)):
        open_database(msgspec.structs.replace(database_server, tls=True, ca_file=missing))
