import shutil
from pathlib import Path

import pytest
from sqlalchemy import Engine

from htmengine import config
from htmengine.repository import metrics, migrations
from htmengine.repository.engine import open_engine, writing


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    """Give a file with the newest tables, to be copied."""
    path = tmp_path_factory.mktemp("template") / "repository.sqlite"
    engine = open_engine(config.Repository(path=path))
    migrations.upgrade(engine, shards=4)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def lasting_engine(template: Path):
    """Give a database that tests leave as it was."""
    engine = open_engine(config.Repository(path=template))
    yield engine
    engine.dispose()


@pytest.fixture
def engine(tmp_path: Path, template: Path):
    shutil.copy(template, tmp_path / "repository.sqlite")
    engine = open_engine(config.Repository(path=tmp_path / "repository.sqlite"))
    yield engine
    engine.dispose()


@pytest.fixture
def empty_engine(tmp_path: Path):
    engine = open_engine(config.Repository(path=tmp_path / "empty.sqlite"))
    yield engine
    engine.dispose()


@pytest.fixture
def uid(engine: Engine) -> str:
    with writing(engine) as conn:
        return metrics.create_custom(conn, ["some.metric"])["some.metric"]
