"""A repository to put alarms into."""

import shutil
from pathlib import Path

import pytest

from htmengine import config
from htmengine.repository.opening import open_database
from tests.support.repository import new_repository


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    """Give a file with the newest tables, to be copied."""
    path = tmp_path_factory.mktemp("template") / "repository.sqlite"
    new_repository(path).close()
    return path


@pytest.fixture
def fresh(tmp_path: Path, template: Path):
    """Give what returns an empty repository each time it is called."""
    engines = []

    def make():
        path = tmp_path / f"{len(engines)}.sqlite"
        shutil.copy(template, path)
        engines.append(open_database(config.Repository(path=path)))
        return engines[-1]

    yield make
    for database in engines:
        database.close()


@pytest.fixture
def database(fresh):
    return fresh()
