"""What applications do with the engine, as documented, all services under a real supervisord."""

import json
import time
import uuid
from datetime import datetime

import pytest
from typer.testing import CliRunner

from htmengine import config, htmengineerrno, repository
from htmengine.adapters.datasource import createDatasourceAdapter
from htmengine.bus.opening import open_bus
from htmengine.cli.app import app
from htmengine.repository import MetricStatus, schema
from htmengine.runtime.anomaly_service import AnomalyService
from htmengine.utils import validate
from nta.utils import amqp
from nta.utils.message_bus_connector import MessageBusConnector, MessageQueueNotFound
from tests.acceptance.engine import TIMEOUT_S, wait_until
from tests.contract.test_documented_surface import COMMAND, RESULTS, described

pytestmark = pytest.mark.acceptance

FIRST = 1_443_197_361
RANGE = {"min": 0, "max": 100}


@pytest.fixture(
    params=[
        "application_on_embedded_parts",
        pytest.param("application_on_servers", marks=pytest.mark.integration),
    ]
)
def application(request, monkeypatch):
    application = request.getfixturevalue(request.param)
    for name, setting in application.environment.items():
        monkeypatch.setenv(name, setting)
    return application


def send_through_the_bus(application, *lines):
    body = json.dumps({"protocol": "plain", "data": list(lines)})
    with MessageBusConnector() as bus:
        bus.publish(
            mqName=application.config.get("metric_listener", "queue_name"), body=body, persistent=True
        )


def monitor(name, **params):
    spec = {"datasource": "custom", "metricSpec": {"metric": name}, "modelParams": RANGE, **params}
    return createDatasourceAdapter(spec["datasource"]).monitorMetric(spec)


def test_data_is_sent_through_the_bus(application, name):
    send_through_the_bus(application, f"{name} 21 {FIRST}", f"{name} 22.5 {FIRST + 300}")
    rows = application.stored(name, 2)
    assert [(row.rowid, row.metric_value) for row in rows] == [(2, 22.5), (1, 21.0)]
    assert rows[1].timestamp == datetime(2015, 9, 25, 16, 9, 21)
    assert rows[0].anomaly_score is None
    metric = application.metric(name)
    assert (metric.datasource, metric.status, metric.server) == ("custom", MetricStatus.UNMONITORED, name)


def test_a_queue_that_is_not_there_is_an_error(application):
    with MessageBusConnector() as bus, pytest.raises(MessageQueueNotFound):
        bus.publish(mqName="nowhere", body="{}", persistent=True)


def test_a_model_is_created_before_there_are_data(application, name):
    uid = monitor(name)
    metric = application.active(name)
    assert metric.uid == uid
    assert json.loads(metric.parameters) == {
        "datasource": "custom",
        "metricSpec": {"metric": name},
        "modelParams": RANGE,
    }


def test_results_are_queried(application, name):
    application.send(*(f"{name} {50 + i % 5} {FIRST + 300 * i}" for i in range(20)))
    application.stored(name, 20)
    monitor(name)
    application.scored(name, 20)
    with repository.engineFactory(application.config).connect() as conn:
        metric = repository.getCustomMetricByName(conn, name, fields=[schema.metric.c.uid])
        fields = (
            schema.metric_data.c.metric_value,
            schema.metric_data.c.timestamp,
            schema.metric_data.c.rowid,
            schema.metric_data.c.anomaly_score,
        )
        result = repository.getMetricData(
            conn, metricId=metric.uid, fields=fields, sort=schema.metric_data.c.timestamp.asc()
        )
        rows = list(result)
        assert repository.getProcessedMetricDataCount(conn, metric.uid) == 20
        assert metric.uid in [row.uid for row in repository.getAllModels(conn, [schema.metric.c.uid])]
    assert [row.rowid for row in rows] == list(range(1, 21))
    assert all(0 <= row.anomaly_score <= 1 for row in rows)


class Subscriber:
    """An application's queue on the results exchange: by the documented client where there is a broker."""

    def __init__(self, application):
        self.settings = config.load(application.directory)
        self.queue = f"contract.{uuid.uuid4().hex}"

    def __enter__(self):
        exchange = self.settings.results_exchange
        if self.settings.bus == "rabbitmq":
            self.client = amqp.synchronous_amqp_client.SynchronousAmqpClient(
                amqp.connection.getRabbitmqConnectionParameters(),
                channelConfigCb=lambda client: client.requestQoS(prefetchCount=1),
            )
            self.client.declareExchange(exchange=exchange, exchangeType="fanout", durable=True)
            self.client.declareQueue(self.queue, durable=True)
            self.client.bindQueue(exchange=exchange, queue=self.queue, routingKey="")
            self.client.createConsumer(self.queue)
        else:
            self.bus = open_bus(self.settings)
            self.bus.declare_exchange(exchange)
            self.bus.declare_queue(self.queue)
            self.bus.bind(self.queue, exchange)
            self.consumer = self.bus.consume([self.queue])
        return self

    def __exit__(self, *error):
        if self.settings.bus == "rabbitmq":
            self.client.deleteQueue(self.queue, ifUnused=False, ifEmpty=False)
            self.client.close()
        else:
            self.bus.delete_queue(self.queue)
            self.bus.close()

    def messages(self):
        """Yield (dataType, body), each acknowledged when the next is asked for."""
        if self.settings.bus == "rabbitmq":
            for event in self.client.readEvents():
                assert isinstance(event, amqp.messages.ConsumerMessage)
                yield (event.properties.headers or {}).get("dataType"), event.body
                event.ack()
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            for delivery in self.consumer.receive(max_messages=1, timeout_s=1.0):
                yield delivery.headers.get("dataType"), delivery.body
                self.consumer.ack([delivery])


def test_results_are_consumed_in_real_time(application, name):
    published, defined = [], None
    with Subscriber(application) as subscriber:
        uid = monitor(name, metricSpec={"metric": name, "userInfo": {"symbol": "A"}})
        application.send(*(f"{name} {50 + i % 5} {FIRST + 300 * i}" for i in range(10)))
        for data_type, body in subscriber.messages():
            message = AnomalyService.deserializeModelResult(body)
            if data_type == "model-cmd-result":
                validate(message, described(COMMAND))
                if message["modelId"] == uid:
                    defined = message
            else:
                assert data_type is None
                validate(message, described(RESULTS))
                if message["metric"]["uid"] == uid:
                    published += message["results"]
                    metric = message["metric"]
            if defined and len(published) >= 10:
                break
    assert (defined["method"], defined["status"]) == ("defineModel", htmengineerrno.SUCCESS)
    assert defined["modelInfo"]["metricName"] == name
    assert metric["spec"] == {"metric": name, "userInfo": {"symbol": "A"}}
    stored = {row.rowid: row for row in application.scored(name, 10)}
    assert [row["rowid"] for row in published] == list(range(1, 11))
    for row in published:
        assert row["anomaly"] == pytest.approx(stored[row["rowid"]].anomaly_score, abs=1e-9)
        assert row["rawAnomaly"] == pytest.approx(stored[row["rowid"]].raw_anomaly_score, abs=1e-9)
        assert row["value"] == stored[row["rowid"]].metric_value


def test_a_model_is_deleted_and_its_metric_after_it(application, name):
    application.send(f"{name} 1 {FIRST}")
    uid = application.created(name).uid
    adapter = createDatasourceAdapter("custom")
    monitor(name)
    application.scored(name, 1)
    adapter.unmonitorMetric(uid)
    metric = application.metric(name)
    assert (metric.status, metric.parameters, metric.model_params) == (MetricStatus.UNMONITORED, None, None)
    (row,) = application.rows(uid)
    assert (row.anomaly_score, row.raw_anomaly_score, row.display_value) == (None, None, None)
    adapter.deleteMetricByName(name)
    wait_until(lambda: application.metric(name) is None, "the metric's end")
    assert application.rows(uid) == []


def test_nothing_is_found_wrong_with_services_that_run(application):
    listens = (
        None if config.load(application.directory).bus_path is None else True
    )  # nobody knows of other machines
    expected = {"metric_listener": listens}
    expected |= dict.fromkeys(("metric_storer", "model_scheduler", "anomaly_service"), True)
    if listens:
        expected |= dict.fromkeys(("silence", "incidents", "alerts", "web"), True)  # no queue tells of these

    def found():
        done = CliRunner().invoke(app, ["status", "--json"], catch_exceptions=False)
        status = json.loads(done.stdout)
        return {service["name"]: service["alive"] for service in status["services"]}, status["findings"]

    # A service may have started later than the listener.
    wait_until(lambda: found() == (expected, []), lambda: str(found()))
