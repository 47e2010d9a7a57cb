import os
import subprocess
import sys

from htmengine.service import status_files
from htmengine.service.status_files import Reporter


def test_a_report_tells_process_restarts_and_counters(tmp_path):
    reporter = Reporter(tmp_path, timer=lambda: 1000.0)
    reporter.start(
        ["metric_storer", "metric_listener"],
        {"metric_storer": lambda: {"lines": 7}},
        {"metric_storer": 2},
    )
    reporter.write()
    (report,) = status_files.read(tmp_path)["metric_storer"]
    assert report.pid == os.getpid()
    assert report.restarts == 2
    assert report.counters == {"lines": 7}
    assert status_files.read(tmp_path)["metric_listener"][0].counters == {}
    assert report.alive(1001.0)
    assert not report.alive(1000.0 + status_files.STALE_S + 1)
    reporter.close()
    assert status_files.read(tmp_path) == {}


def test_a_report_of_a_process_that_is_gone_is_not_alive(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    report = status_files.ServiceReport(service="x", pid=child.pid, started_at=0.0, written_at=1000.0)
    assert not report.alive(1000.0)


def test_a_report_of_a_process_that_nobody_has_waited_for_is_not_alive(tmp_path):
    program = (
        "import sys; from pathlib import Path; from htmengine.service.status_files import Reporter\n"
        "reporter = Reporter(Path(sys.argv[1]), timer=lambda: 1000.0)\n"
        "reporter.start(['x'], {}, {}); reporter.write(); print('written', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        child.stdout.readline()
        ((report,),) = status_files.read(tmp_path).values()
        assert report.alive(1000.0)
        beside = Reporter(tmp_path, timer=lambda: 1001.0)
        beside.start(["x"], {}, {})
        beside.write()
        assert [one.pid for one in status_files.read(tmp_path)["x"]] == [child.pid, os.getpid()]
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not report.alive(1000.0)
        beside.close()
    other = Reporter(tmp_path)
    other.start(["x"], {}, {})
    other.close()
    assert status_files.read(tmp_path) == {}


def test_a_file_that_is_no_report_is_passed_over(tmp_path):
    (tmp_path / "x.json").write_text("{")
    assert status_files.read(tmp_path) == {}
