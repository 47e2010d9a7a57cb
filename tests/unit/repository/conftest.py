import shutil
from pathlib import Path

import pytest

from htmengine import config
from htmengine.repository import metrics
from htmengine.repository.database import Database
from htmengine.repository.opening import open_database
from tests.support.repository import new_repository


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    """Give a file with the newest tables, to be copied."""
    path = tmp_path_factory.mktemp("template") / "repository.sqlite"
    new_repository(path).close()
    return path


@pytest.fixture(scope="session")
def lasting_database(template: Path):
    """Give a database that tests leave as it was."""
    database = open_database(config.Repository(path=template))
    yield database
    database.close()


@pytest.fixture
def database(tmp_path: Path, template: Path):
    shutil.copy(template, tmp_path / "repository.sqlite")
    database = open_database(config.Repository(path=tmp_path / "repository.sqlite"))
    yield database
    database.close()


@pytest.fixture
def empty_database(tmp_path: Path):
    database = open_database(config.Repository(path=tmp_path / "empty.sqlite"))
    yield database
    database.close()


@pytest.fixture
def uid(database: Database) -> str:
    with database.write() as conn:
        return metrics.create_custom(conn, ["some.metric"])["some.metric"]
