import os
import time

from htmengine.runtime import reports
from htmengine.runtime.reports import Reporter


def test_a_report_tells_process_restarts_and_counters(tmp_path):
    reporter = Reporter(tmp_path, clock=lambda: 1000.0)
    reporter.start(
        ["metric_storer", "metric_listener"],
        {"metric_storer": lambda: {"lines": 7}},
        {"metric_storer": 2},
    )
    reporter.write()
    report = reports.read(tmp_path)["metric_storer"]
    assert report.pid == os.getpid()
    assert report.restarts == 2
    assert report.counters == {"lines": 7}
    assert reports.read(tmp_path)["metric_listener"].counters == {}
    assert report.alive(1001.0)
    assert not report.alive(1000.0 + reports.STALE_S + 1)
    reporter.close()
    assert reports.read(tmp_path) == {}


def test_a_report_of_a_process_that_is_gone_is_not_alive(tmp_path):
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    report = reports.ServiceReport(service="x", pid=child, started_at=0.0, written_at=1000.0)
    assert not report.alive(1000.0)


def test_a_report_of_a_process_that_nobody_has_waited_for_is_not_alive(tmp_path):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        Reporter(tmp_path, clock=lambda: 1000.0).start(["x"], {}, {})
        os.close(write)
        os.read(read, 1)
        os._exit(0)
    os.close(read)
    while not reports.read(tmp_path):
        time.sleep(0.01)
    (report,) = reports.read(tmp_path).values()
    assert report.alive(1000.0)
    os.close(write)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert not report.alive(1000.0)
    os.waitpid(child, 0)


def test_a_file_that_is_no_report_is_passed_over(tmp_path):
    (tmp_path / "x.json").write_text("{")
    assert reports.read(tmp_path) == {}
