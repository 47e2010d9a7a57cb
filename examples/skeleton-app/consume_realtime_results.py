#!/usr/bin/env python
"""Print results as they come: a queue of our own, bound to the exchange that every result is published to.

This runs on RabbitMQ and without it. On RabbitMQ any client does, for example `nta.utils.amqp`, as documented.
"""

from htmengine import config, htmengineerrno
from htmengine.bus.opening import open_bus
from htmengine.runtime.anomaly_service import AnomalyService

QUEUE = "skeleton.results"
UNREAD = 100_000  # messages that wait for us when we do not run; beyond that the oldest are dropped


def main() -> None:
    settings = config.load(config.required_config_dir())
    bus = open_bus(settings)
    bus.declare_exchange(settings.results_exchange)
    bus.declare_queue(QUEUE, limit=UNREAD, expendable=True)
    bus.bind(QUEUE, settings.results_exchange)
    with bus.consume([QUEUE]) as consumer:
        while True:
            for message in consumer.receive(max_messages=10, timeout_s=1.0):
                handle(message.headers.get("dataType"), AnomalyService.deserializeModelResult(message.body))
                consumer.ack([message])


def handle(data_type: str | None, body: dict) -> None:
    """Handle scores of a metric, or news of a model; what we do not know is none of our business."""
    if data_type is None:
        for row in body["results"]:
            print(body["metric"]["name"], row["ts"], row["value"], row["anomaly"])
    elif data_type == "model-cmd-result" and body["status"] == htmengineerrno.SUCCESS:
        print(body["method"], body["modelId"])


if __name__ == "__main__":
    main()
