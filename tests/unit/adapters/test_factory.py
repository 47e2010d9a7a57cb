import pytest

from htmengine import config
from htmengine.adapters import datasource
from htmengine.adapters.datasource import (
    CustomAdapter,
    DatasourceAdapterIface,
    createCustomDatasourceAdapter,
    createDatasourceAdapter,
    listDatasourceNames,
    using,
)
from htmengine.errors import ConfigError
from htmengine.exceptions import ApplicationNotConfiguredError


def test_there_is_an_adapter_for_custom_metrics():
    assert "custom" in listDatasourceNames()


def test_within_using_adapters_work_on_that_installation(tmp_path):
    with using(config.embedded(tmp_path)):
        adapter = createDatasourceAdapter("custom")
        assert isinstance(adapter, CustomAdapter)
        uid = adapter.createMetric("m")
        assert (
            createCustomDatasourceAdapter().monitorMetric(
                {"datasource": "custom", "metricSpec": {"uid": uid}}
            )
            == uid
        )
    assert (tmp_path / "repository.sqlite").exists()


def test_an_unknown_datasource_is_a_key_error(tmp_path):
    with using(config.embedded(tmp_path)), pytest.raises(KeyError):
        createDatasourceAdapter("cloudwatch")


def test_without_a_configuration_the_error_says_so(monkeypatch):
    monkeypatch.delenv("APPLICATION_CONFIG_PATH", raising=False)
    with pytest.raises(ApplicationNotConfiguredError, match="APPLICATION_CONFIG_PATH"):
        createCustomDatasourceAdapter()


def test_a_configuration_that_is_not_there_is_an_error_that_names_it(monkeypatch, tmp_path):
    monkeypatch.setenv("APPLICATION_CONFIG_PATH", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match="nowhere"):
        createCustomDatasourceAdapter()


def test_applications_register_adapters_of_their_own(monkeypatch, tmp_path):
    monkeypatch.setattr(DatasourceAdapterIface, "_registry", dict(DatasourceAdapterIface._registry))

    @DatasourceAdapterIface.registerDatasourceAdapter
    class Weather(CustomAdapter):
        _DATASOURCE = "weather"

    assert "weather" in listDatasourceNames()
    with using(config.embedded(tmp_path)):
        assert isinstance(datasource.createDatasourceAdapter("weather"), Weather)
    with pytest.raises(AssertionError, match="weather"):
        DatasourceAdapterIface.registerDatasourceAdapter(Weather)
