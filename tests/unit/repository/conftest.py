from pathlib import Path

import pytest
from sqlalchemy import Engine

from htmengine import config
from htmengine.repository import migrations
from htmengine.repository.engine import open_engine


@pytest.fixture
def engine(tmp_path: Path):
    engine = open_engine(config.Repository(path=tmp_path / "repository.sqlite"))
    migrations.upgrade(engine, shards=4)
    yield engine
    engine.dispose()


@pytest.fixture
def empty_engine(tmp_path: Path):
    engine = open_engine(config.Repository(path=tmp_path / "empty.sqlite"))
    yield engine
    engine.dispose()


@pytest.fixture
def uid(engine: Engine) -> str:
    from htmengine.repository import metrics
    from htmengine.repository.engine import writing

    with writing(engine) as conn:
        return metrics.create_custom(conn, ["some.metric"])["some.metric"]
