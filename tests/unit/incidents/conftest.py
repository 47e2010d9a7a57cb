"""A repository to put alarms into."""

import shutil
from pathlib import Path

import pytest

from htmengine import config
from htmengine.repository import migrations
from htmengine.repository.engine import open_engine


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    """Give a file with the newest tables, to be copied."""
    path = tmp_path_factory.mktemp("template") / "repository.sqlite"
    engine = open_engine(config.Repository(path=path))
    migrations.upgrade(engine, shards=4)
    engine.dispose()
    return path


@pytest.fixture
def fresh(tmp_path: Path, template: Path):
    """Give what returns an empty repository each time it is called."""
    engines = []

    def make():
        path = tmp_path / f"{len(engines)}.sqlite"
        shutil.copy(template, path)
        engines.append(open_engine(config.Repository(path=path)))
        return engines[-1]

    yield make
    for engine in engines:
        engine.dispose()


@pytest.fixture
def engine(fresh):
    return fresh()
