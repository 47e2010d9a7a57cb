"""The whole engine in one process: every service is a thread of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from htmengine.service.context import Context
from htmengine.service.program import Work, stage_work


def services(listening: Callable[[int], None] = lambda _port: None) -> dict[str, Work]:
    """Return every service by name, in the order of a sample's way; `listening` is called when TCP's port is open."""
    from htmengine.model_swapper.model_scheduler_service import build as scheduler
    from htmengine.runtime.anomaly_service.stage import build as anomaly
    from htmengine.runtime.metric_garbage_collector import NAME as GARBAGE_COLLECTOR
    from htmengine.runtime.metric_garbage_collector import work as collect_garbage
    from htmengine.runtime.metric_listener.server import UDP_NAME
    from htmengine.runtime.metric_listener.server import work as listen
    from htmengine.runtime.metric_storer.service import WORKS as STORING

    def listen_to_datagrams(context: Context) -> None:
        listen(replace(context, options=argparse.Namespace(transport="udp")))

    return {
        "metric_listener": partial(listen, ready=listening),
        UDP_NAME: listen_to_datagrams,
        **STORING,
        "model_scheduler": stage_work(scheduler, "model_scheduler"),
        "anomaly_service": stage_work(anomaly, "anomaly_service"),
        GARBAGE_COLLECTOR: collect_garbage,
    }
