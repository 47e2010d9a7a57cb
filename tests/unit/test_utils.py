import json
from datetime import datetime

import pytest

import htmengine
from htmengine import utils
from htmengine.exceptions import ApplicationNotConfiguredError


def test_the_modules_attributes_are_looked_up_when_asked_for(tmp_path, monkeypatch):
    monkeypatch.delenv("APPLICATION_CONFIG_PATH", raising=False)
    assert htmengine.distribution.version == htmengine.__version__
    with pytest.raises(ApplicationNotConfiguredError):
        _ = htmengine.APP_CONFIG
    (tmp_path / "application.conf").write_text("[web]\nport = 8080\n")
    monkeypatch.setenv("APPLICATION_CONFIG_PATH", str(tmp_path))
    assert htmengine.APP_CONFIG.getint("web", "port") == 8080
    with pytest.raises(AttributeError):
        _ = htmengine.nothing


def test_a_decorated_function_needs_a_configuration(monkeypatch):
    function = htmengine.raiseExceptionOnMissingRequiredApplicationConfigPath(lambda: 1)
    monkeypatch.delenv("APPLICATION_CONFIG_PATH", raising=False)
    with pytest.raises(ApplicationNotConfiguredError):
        function()
    monkeypatch.setenv("APPLICATION_CONFIG_PATH", "/somewhere")
    assert function() == 1


def test_a_singleton_is_one_for_each_class():
    class First(utils.Singleton):
        pass

    class Second(First):
        pass

    assert First() is First()
    assert Second() is Second()
    assert First() is not Second()


def test_identifiers_differ():
    assert utils.createGuid() != utils.createGuid()
    assert len(utils.createGuid()) == 32


def test_times_and_iterables_are_written_as_json():
    text = utils.jsonEncode({"at": datetime(2013, 12, 11, 20, 2, 55), "rows": (row for row in (1, 2))})
    assert utils.jsonDecode(text) == {"at": "2013-12-11 20:02:55", "rows": [1, 2]}
    assert text.startswith('{\n  "')
    with pytest.raises(TypeError, match="object"):
        utils.jsonEncode(object())


@pytest.mark.parametrize(
    ("second", "period", "rounded"), [(0, 300, 0), (1, 300, 300), (299, 300, 300), (301, 300, 600)]
)
def test_a_time_is_rounded_up_to_a_period(second, period, rounded):
    midnight = datetime(2026, 1, 2)
    moment = datetime(2026, 1, 2, second // 3600, second % 3600 // 60, second % 60)
    assert (utils.roundUpDatetime(moment, period) - midnight).total_seconds() == rounded


def test_messagepack_comes_back():
    assert utils.msgpack_unpack(utils.msgpack_pack({"a": [1, 2.5, None]})) == {"a": [1, 2.5, None]}


def test_a_schema_of_the_old_kind_says_required_for_each_property(tmp_path):
    schema = {"type": "object", "properties": {"name": {"type": "string", "required": True}}}
    utils.validate({"name": "a"}, schema)
    with pytest.raises(ValueError, match="name"):
        utils.validate({}, schema)
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(schema))
    with pytest.raises(ValueError, match=r"\$.name"):
        utils.validate({"name": 1}, path)
