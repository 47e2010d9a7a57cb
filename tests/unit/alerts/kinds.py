"""A kind of target for files of tests: what it is given is in `made`."""

from contextlib import contextmanager
from unittest import mock

from htmengine.alerts.targets import kinds
from htmengine.alerts.toml_tables import text
from tests.unit.alerts.world import FakeTarget


@contextmanager
def fake_kind():
    """Let files have targets of the kind `fake`, with a `url`; give the list of those that were made."""
    made = []

    def read(settings):
        target = FakeTarget(settings.name)
        target.url = settings.required("url", text, '"http://a"')
        made.append(target)
        return target

    with mock.patch.dict(kinds.READERS, {"fake": read}):
        yield made
