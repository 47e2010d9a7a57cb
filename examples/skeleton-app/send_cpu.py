#!/usr/bin/env python
"""Send the load of this machine's processors, in percent, every few seconds: directly to the bus, not over TCP."""

import json
import os
import time

import psutil

from nta.utils.config import Config
from nta.utils.message_bus_connector import MessageBusConnector

METRIC = "cpu_percent"
INTERVAL_S = 5


def main() -> None:
    config = Config("application.conf", os.environ["APPLICATION_CONFIG_PATH"])
    queue = config.get("metric_listener", "queue_name")
    with MessageBusConnector() as bus:
        bus.createMessageQueue(queue, durable=True)
        while True:
            percent = psutil.cpu_percent(interval=INTERVAL_S)
            sample = f"{METRIC} {percent!r} {int(time.time())}"
            bus.publish(queue, json.dumps({"protocol": "plain", "data": [sample]}), persistent=True)


if __name__ == "__main__":
    main()
