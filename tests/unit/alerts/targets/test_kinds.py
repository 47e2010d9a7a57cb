import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from htmengine.alerts.targets import kinds
from htmengine.alerts.targets.settings import Settings
from htmengine.alerts.toml_tables import Table, raise_faults
from htmengine.errors import ConfigError
from tests.support.examples import examples
from tests.unit.alerts.targets.receiving import made

SECRET = "q7Jx-secret-Zw93"
ENVIRONMENT = {
    "SECRET": SECRET,
    "URL": f"https://{SECRET}@hook.example/{SECRET}",
    "EMPTY": "",
    "PATH": "/usr/bin:/bin",
}
KEYS = (
    "url", "url_file", "url_env", "secret", "secret_file", "secret_env", "token", "token_file", "token_env", "user",
    "password", "password_file", "password_env", "routing_key", "routing_key_file", "routing_key_env", "proxy",
    "proxy_file", "proxy_env", "ca_file", "certificate", "key", "allow_link_local", "format", "labels", "host", "port",
    "security", "from", "to", "command", "timeout", "bodyformat", "",
)  # fmt: skip
SECRET_KEYS = ("secret", "token", "password", "routing_key")
TEXTS = (
    "SECRET", "URL", "EMPTY", "NONE", "", " ", "\0", "https://hook.example", "http://[::1", "http://169.254.169.254/", "a@b.example",
    "starttls", "none", "5s", "0s", "sh", "./sh", "secret", ".", "\ud800", "x" * 5000, "http://a:99999", "alertmanager",
    "json://hook.example",
)  # fmt: skip
SCALARS = st.one_of(
    st.sampled_from(TEXTS),
    st.text(max_size=20),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.dates(),
    st.none(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(string.ascii_letters + "-_.0", max_size=5), inner, max_size=3),
    ),
    max_leaves=6,
)


def files(folder):
    (folder / "secret").write_text(SECRET)
    return folder


@pytest.mark.parametrize("kind", kinds.READERS)
@examples(25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(values=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=7))
def test_a_table_of_any_settings_is_a_target_or_says_what_is_wrong(tmp_path, kind, values):
    table = Table({"kind": kind, **values}, ("targets", "ops"), [])
    target = kinds.make("ops", table, files(tmp_path), environment=ENVIRONMENT)
    shown = "\n".join(fault.text for fault in table.faults)
    assert (target is None) == bool(table.faults)
    assert SECRET not in shown
    if target is None:
        with pytest.raises(ConfigError):
            raise_faults("alerts.toml", "", table.faults)
    else:
        assert (target.name, target.kind) == ("ops", kind)
        assert SECRET not in f"{target!r} {target.describe()}"
        assert all(isinstance(value, str) for value in target.describe().values())
        target.close()


@pytest.mark.parametrize("key", SECRET_KEYS)
@pytest.mark.parametrize("kind", kinds.READERS)
def test_a_secret_that_stands_in_the_file_is_shown_nowhere(kind, key):
    target, faults = made(f'kind = "{kind}"\n{key} = "{SECRET}"\n{key}s = "{SECRET}"')
    assert target is None
    assert SECRET not in str(faults)


def test_a_kind_is_needed():
    target, faults = made('url = "http://a.example"')
    assert target is None
    assert faults == [f'has no kind; add for example kind = "webhook"; there are {", ".join(kinds.READERS)}']
    target, faults = made('kind = "fax"')
    assert faults == [f'kind = "fax" is none of {", ".join(kinds.READERS)}']


def test_what_is_wrong_is_said_of_every_target_and_of_all_at_once(tmp_path):
    faults = []
    tables = {
        "a": Table({"kind": "webhook", "url": "x", "ca_file": "none", "other": 1}, ("targets", "a"), faults),
        "b": Table({"kind": "mail"}, ("targets", "b"), faults),
        "c": Table({"kind": "terminal"}, ("targets", "c"), faults),
    }
    made = kinds.make_all(tables, tmp_path, environment={})
    assert list(made) == ["c"]
    assert [fault.path for fault in faults if fault.path[1] == "a"] == [
        ("targets", "a", "url"),
        ("targets", "a", "ca_file"),
        ("targets", "a", "other"),
    ]
    assert len([fault for fault in faults if fault.path[1] == "b"]) == 3


def test_a_target_that_is_made_for_nothing_is_closed(monkeypatch):
    closed = []

    class Made:
        def close(self):
            closed.append(self)

    monkeypatch.setitem(kinds.READERS, "terminal", lambda settings: Made())
    target, faults = made('kind = "terminal"\ncolour = "red"')
    assert (target, len(faults), len(closed)) == (None, 1, 1)


def test_folders_are_absolute():
    assert Settings("a", Table({}, (), []), Path("conf"), {}).folder.is_absolute()
