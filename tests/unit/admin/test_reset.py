import msgspec
import pytest

from htmengine import config
from htmengine.adapters.datasource import createCustomDatasourceAdapter, using
from htmengine.admin import reset
from htmengine.bus import Outgoing
from htmengine.repository import metrics, provisioning
from htmengine.repository.errors import RepositoryUnavailable
from htmengine.service.installation import current


def test_nothing_is_left_after_a_reset(tmp_path):
    settings = config.embedded(tmp_path)
    with using(settings):
        createCustomDatasourceAdapter().monitorMetric({"datasource": "custom", "metricSpec": {"metric": "m"}})
        current().bus.publish([Outgoing(settings.listener.queue, b"waits")])
    (tmp_path / "checkpoints").mkdir(exist_ok=True)
    (tmp_path / "checkpoints" / "checkpoints.sqlite").write_bytes(b"models")
    reset.reset(settings)
    assert not list((tmp_path / "checkpoints").iterdir())
    with using(settings):
        with current().database.read() as conn:
            assert metrics.custom(conn) == []
        assert [queue.name for queue in current().bus.status() if queue.ready] == []


def test_nothing_is_deleted_under_a_service_that_runs(tmp_path):
    settings = config.embedded(tmp_path)
    with using(settings):
        createCustomDatasourceAdapter().createMetric("m")
        with (
            current().bus.consume([settings.listener.queue]),
            pytest.raises(reset.ServicesRun, match=settings.listener.queue),
        ):
            reset.reset(settings)
        with current().database.read() as conn:
            assert [state.name for state in metrics.custom(conn)] == ["m"]


def test_a_damaged_bus_is_reset_too(tmp_path):
    settings = config.embedded(tmp_path)
    with using(settings):
        pass
    settings.bus_path.write_bytes(b"something else entirely" * 100)
    reset.reset(settings)
    with using(settings):
        assert current().bus.status()


def test_a_server_that_is_away_is_named_without_its_password(tmp_path):
    away = config.Repository(dialect="mysql", host="127.0.0.1", port=1, passwd="secret")
    with pytest.raises(RepositoryUnavailable, match=r"127.0.0.1:1") as caught:
        provisioning.create(away)
    assert "secret" not in str(caught.value)
    with pytest.raises(RepositoryUnavailable):
        reset.reset(msgspec.structs.replace(config.embedded(tmp_path), repository=away))
