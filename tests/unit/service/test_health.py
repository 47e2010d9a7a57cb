"""A service is what all of its processes are together, and each is known by itself."""

import json
import os
import time

import msgspec

from htmengine import config
from htmengine.bus import QueueStatus
from htmengine.cli.status import _each
from htmengine.repository.queue_layout import QueueLayout
from htmengine.service.context import Context
from htmengine.service.data_queues import DataQueues, KnownQueues
from htmengine.service.health import ROUTER, services_of
from htmengine.service.program import reports_folder
from htmengine.service.status_files import ServiceReport


def said(settings, pid, rows):
    folder = reports_folder(settings)
    folder.mkdir(exist_ok=True)
    now = time.monotonic()
    report = ServiceReport(
        service="metric_storer", pid=pid, started_at=now - 60, written_at=now, counters={"rows_stored": rows}
    )
    (folder / f"metric_storer.{pid}.json").write_text(json.dumps(msgspec.to_builtins(report)))


def services(settings, parts, consumers=1):
    queues = DataQueues.of(settings, QueueLayout(parts))
    context = Context(
        settings=settings, bus=None, database=None, shards=1, queues=KnownQueues(lambda: queues)
    )
    status = {
        queue: QueueStatus(queue, ready=3, unacked=0, oldest_age_s=None, consumers=consumers)
        for queue in context.data_queues.every
    }
    return {one.name: one for one in services_of(context, status, {})}


def test_several_storers_are_counted_together_and_shown_each(tmp_path):
    settings = config.embedded(tmp_path)
    said(settings, os.getpid(), 10)
    said(settings, os.getppid(), 20)
    found = services(settings, parts=2)
    storer = found["metric_storer"]
    assert storer.counters["rows_stored"] == 30
    assert {one.pid: one.counters["rows_stored"] for one in storer.processes} == {
        os.getpid(): 10,
        os.getppid(): 20,
    }
    assert (storer.queued, found[ROUTER].queued) == (6, 3)
    assert any(f"process {os.getpid()}, up 1 min: rows stored 10" in line for line in _each(storer))
    assert len(storer.document()["processes"]) == 2


def test_one_storer_is_the_service(tmp_path):
    settings = config.embedded(tmp_path)
    said(settings, os.getpid(), 10)
    found = services(settings, parts=1)
    assert found["metric_storer"].counters["rows_stored"] == 10
    assert found["metric_storer"].pid == os.getpid()
    assert _each(found["metric_storer"]) == []
    assert ROUTER not in found


def test_where_nobody_takes_from_the_queues_no_storer_runs(tmp_path):
    assert services(config.embedded(tmp_path), parts=2, consumers=0)["metric_storer"].alive is False
