"""Services go by the clock and the timer of their context."""

import inspect

import msgspec
import pytest

from htmengine import config
from htmengine.alerts import service as alerts
from htmengine.incidents import service as incidents
from htmengine.service.context import opened
from htmengine.silence import service as silence
from htmengine.writeback import service as writeback

RECEIVER = config.Writeback(graphite=("127.0.0.1", 1))


@pytest.mark.parametrize(
    ("service", "parts"),
    [
        (silence, ["Writer"]),
        (incidents, ["Writer"]),
        (writeback, ["Writer"]),
        (alerts, ["Writer", "Sender", "SelfWatch"]),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_its_parts_have_those_of_the_context(service, parts, data_folder, monkeypatch):
    given = {}

    def recorded(name):
        known = inspect.signature(getattr(service, name)).parameters
        real = getattr(service, name)

        def make(*args, **kwargs):
            given[name] = {key: kwargs.get(key) for key in ("clock", "timer") if key in known}
            return real(*args, **kwargs)

        return make

    for name in parts:
        monkeypatch.setattr(service, name, recorded(name))
    with opened(msgspec.structs.replace(config.embedded(data_folder), writeback=RECEIVER)) as context:
        if service is writeback:  # it opens nothing once it is to end
            monkeypatch.setattr(service, "keep_writing", lambda *args: context.stop.set())
        else:
            context.stop.set()
        service.work(context)
        assert given.keys() == set(parts)
        for name, clocks in given.items():
            assert clocks
            assert all(clock is getattr(context, key) for key, clock in clocks.items()), name
