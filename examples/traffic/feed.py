#!/usr/bin/env python
"""The city's sensors: history at once, then ten minutes of the city each second until the clock is reached, then live.

Environment: TRAFFIC_HISTORY_DAYS (7) are sent at once; TRAFFIC_REPLAY_DAYS (2) are lived through quickly.
"""

import json
import os
import time

import city

from htmengine import repository
from htmengine.exceptions import ObjectNotFoundError
from htmengine.repository import schema
from nta.utils.config import Config
from nta.utils.date_time_utils import epochFromNaiveUTCDatetime
from nta.utils.message_bus_connector import MessageBusConnector

HISTORY_DAYS = float(os.environ.get("TRAFFIC_HISTORY_DAYS", "7"))
REPLAY_DAYS = float(os.environ.get("TRAFFIC_REPLAY_DAYS", "2"))
STEPS_PER_MESSAGE = 4
PAGE_QUEUE = "traffic.page"
CONFIG = Config("application.conf", os.environ["APPLICATION_CONFIG_PATH"])


def main() -> None:
    queue = CONFIG.get("metric_listener", "queue_name")
    now = int(time.time()) // city.STEP_S * city.STEP_S
    replay = now - int(REPLAY_DAYS * 86400) // city.STEP_S * city.STEP_S
    first = max(replay - int(HISTORY_DAYS * 86400) // city.STEP_S * city.STEP_S, newest() + city.STEP_S)
    with MessageBusConnector() as bus:
        bus.createMessageQueue(queue, durable=True)
        while not bus.isMessageQeueuePresent(PAGE_QUEUE):
            time.sleep(0.1)  # what is published before it listens, the page would miss

        def send(times: range) -> None:
            lines = [
                f"{route.metric} {speed} {moment}"
                for moment in times
                for route, speed in zip(city.routes(), city.speeds(moment).tolist(), strict=True)
            ]
            bus.publish(queue, json.dumps({"protocol": "plain", "data": lines}), persistent=True)

        chunk = STEPS_PER_MESSAGE * city.STEP_S
        for begin in range(first, replay, chunk):
            send(range(begin, min(begin + chunk, replay), city.STEP_S))
        moment = max(first, replay)
        while True:
            time.sleep(max(1.0, moment - time.time()))
            send(range(moment, moment + 1))
            moment += city.STEP_S


def newest() -> int:
    """Return the time of the newest sample that is stored; 0 if there is none."""
    data = schema.metric_data.c
    with repository.engineFactory(CONFIG).connect() as conn:
        try:
            metric = repository.getCustomMetricByName(conn, city.routes()[0].metric, [schema.metric.c.uid])
        except ObjectNotFoundError:
            return 0
        rows = repository.getMetricData(
            conn, metric.uid, [data.timestamp], sort=data.timestamp.desc(), limit=1
        )
        row = rows.first()
    return int(epochFromNaiveUTCDatetime(row.timestamp)) if row else 0


if __name__ == "__main__":
    main()
