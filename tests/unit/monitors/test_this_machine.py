"""This machine's load, with psutil as it is and with counters that do what they like."""

import math
import re
import threading
from collections import namedtuple

import msgspec
import pytest

from htmengine import config
from htmengine.bus import BusUnavailable
from htmengine.messages import MetricLines
from htmengine.monitors import this_machine
from htmengine.monitors.this_machine import MachineLoad, MachineLoadSender
from htmengine.service.context import Context

Network = namedtuple("Network", "bytes_recv bytes_sent packets_recv packets_sent errin errout")


def test_every_value_is_a_finite_number_under_a_name_of_the_host():
    load = MachineLoad("web-1.example.org")
    load.read()
    values = load.read()
    assert values["web-1_example_org.memory.used_percent"] > 0
    assert all(math.isfinite(value) for value in values.values())
    assert all(re.fullmatch(r"web-1_example_org(\.[A-Za-z0-9_-]+){2,3}", name) for name in values)


@pytest.fixture
def network(monkeypatch):
    """Counters of interfaces; the test sets them."""
    interfaces = {}
    monkeypatch.setattr(this_machine.psutil, "net_io_counters", lambda pernic: dict(interfaces))
    return interfaces


@pytest.fixture
def seconds():
    """What the clock says; the test sets it."""
    return [100.0]


@pytest.fixture
def load(network, seconds):
    return MachineLoad("h", clock=lambda: seconds[0])


def received(values):
    return values.get("h.network.eth0.received_bytes_per_s")


def test_a_counter_becomes_a_rate_from_the_second_reading_on(load, network, seconds):
    network["eth0"] = Network(1000, 0, 0, 0, 0, 0)
    assert received(load.read()) is None
    network["eth0"] = Network(3000, 0, 0, 0, 0, 0)
    seconds[0] += 8
    assert received(load.read()) == 250.0


def test_a_counter_that_starts_anew_costs_one_sample(load, network, seconds):
    rates = []
    for count in (1000, 2000, 5, 15):
        network["eth0"] = Network(count, 0, 0, 0, 0, 0)
        seconds[0] += 10
        rates.append(received(load.read()))
    assert rates == [None, 100.0, None, 1.0]


def test_an_interface_that_comes_and_goes_costs_no_other_metric(load, network, seconds):
    load.read()
    seconds[0] += 10
    network["wlan 0/x"] = Network(1, 0, 0, 0, 0, 0)
    assert "h.load.1m" in load.read()
    seconds[0] += 10
    assert load.read()["h.network.wlan_0_x.received_bytes_per_s"] == 0
    del network["wlan 0/x"]
    seconds[0] += 10
    assert not [name for name in load.read() if "wlan" in name]


def test_no_value_is_lost_where_no_time_passed(load):
    load.read()
    assert "h.memory.used_percent" in load.read()


def test_a_filesystem_that_vanishes_is_left_out(monkeypatch):
    def gone(path):
        raise FileNotFoundError(path)

    monkeypatch.setattr(this_machine.psutil, "disk_usage", gone)
    values = MachineLoad("h").read()
    assert values
    assert not [name for name in values if "filesystem" in name]


class FailingBus:
    """A bus that cannot be reached at first; it keeps the lines, and ends the program with the third message."""

    def __init__(self, stop):
        self.lines = []
        self.tries = 0
        self._stop = stop

    def publish(self, messages, *, gate=None):
        self.tries += 1
        if self.tries == 3:
            self._stop.set()
        if self.tries == 1:
            raise BusUnavailable("away")
        for message in messages:
            self.lines += msgspec.json.decode(message.body, type=MetricLines).data


def test_the_load_is_sent_again_and_again_also_after_the_bus_was_away(monkeypatch):
    monkeypatch.setattr(this_machine, "INTERVAL_S", 0.01)
    stop = threading.Event()
    bus = FailingBus(stop)
    sender = MachineLoadSender(
        Context(settings=config.Settings(), bus=bus, database=None, shards=1, stop=stop), MachineLoad("h")
    )
    sender.start()
    sender.join(30)
    assert not sender.is_alive()
    sent = [line for line in bus.lines if line.startswith("h.memory.used_percent ")]
    assert len(sent) == 2
