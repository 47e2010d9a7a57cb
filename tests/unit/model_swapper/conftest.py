import pytest

from tests.unit.model_swapper.world import World, template


@pytest.fixture(scope="session")
def repository(tmp_path_factory):
    return template(tmp_path_factory.mktemp("repository"))


@pytest.fixture
def make_world(tmp_path, repository):
    worlds = []

    def make(**options):
        folder = tmp_path / str(len(worlds))
        folder.mkdir()
        worlds.append(World(folder, repository, **options))
        return worlds[-1]

    yield make
    for world in worlds:
        world.dispose()


@pytest.fixture
def world(make_world):
    return make_world()
