import pytest

from htmengine.bus.embedded import EmbeddedBus
from tests.unit.bus.contract import BusContract


@pytest.fixture
def open_bus(tmp_path):
    buses = []

    def open_bus():
        buses.append(EmbeddedBus(tmp_path / "bus.sqlite"))
        return buses[-1]

    yield open_bus
    for bus in buses:
        bus.close()


class TestContract(BusContract):
    pass
