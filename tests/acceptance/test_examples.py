"""Each example starts with its one command, and its page shows results."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.running import free_port
from nta.utils.supervisor_utils import SupervisorClient
from tests.acceptance.engine import STOPS_WITHIN_S, python, wait_until
from tests.servers import free_ports

EXAMPLES = Path(__file__).parents[2] / "examples"
pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


class Example:
    """An example that runs; `folder` has its files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.web_port = free_port()

    @contextmanager
    def running(self, app: str, *options: str, **environment: str):
        (port,) = free_ports(1)
        with (self.folder.parent / "out").open("w") as out:
            process = python(
                EXAMPLES / "start.py",
                app,
                *("--folder", self.folder, "--port", port, "--web-port", self.web_port, *options),
                stdout=out,
                stderr=subprocess.STDOUT,
                env=os.environ | environment,
            )
        try:
            address = f"http://127.0.0.1:{self.web_port}/"
            wait_until(
                lambda: address in self.output() or process.poll() is not None,
                lambda: f"a page: {self.output()}",
            )
            assert process.poll() is None, self.output()
            assert self.get("/")  # what is printed is there
            yield self
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOPS_WITHIN_S)
        assert "Traceback" not in self.output()

    def output(self) -> str:
        """Return what was printed and logged."""
        logs = sorted(self.folder.glob("logs/*.log"))
        return "".join(path.read_text() for path in [self.folder.parent / "out", *logs])

    def log(self, program: str) -> str:
        path = self.folder / "logs" / f"{program}.log"
        return path.read_text() if path.exists() else ""

    def get(self, path: str) -> str:
        return self.send("GET", path)[1]

    def send(self, method: str, path: str, body: str | None = None) -> tuple[int, str]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.web_port}{path}", method=method, data=body.encode() if body else None
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""


def start(example, *options):
    """Start the skeleton application, which ends by itself; return its exit code and what it told."""
    command = [sys.executable, EXAMPLES / "start.py", "skeleton-app", "--folder", example.folder, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=STOPS_WITHIN_S)
    return done.returncode, done.stderr


@pytest.fixture
def example():
    # Its supervisor listens on a socket in this folder, whose path must be short; pytest's own folders are deep.
    with tempfile.TemporaryDirectory(prefix="htmengine-", dir="/tmp") as folder:
        yield Example(Path(folder) / "app")


def on_embedded_parts(request):
    return [], {}


def on_mariadb(request):
    return on_servers(request, request.getfixturevalue("mariadb_server"))


def on_postgresql(request):
    return on_servers(request, request.getfixturevalue("postgresql_server"))


def on_servers(request, database):
    broker = request.getfixturevalue("broker")
    prefix = "_NTA_UTILS_CONFIG__"
    return ["--bus", "rabbitmq", "--repository", database.dialect], {
        f"{prefix}RABBITMQ__CONNECTION__HOST": broker.host,
        f"{prefix}RABBITMQ__CONNECTION__PORT": str(broker.port),
        f"{prefix}RABBITMQ__CONNECTION__VIRTUAL_HOST": broker.virtual_host,
        f"{prefix}APPLICATION__REPOSITORY__PORT": str(database.address.port),
    }


def also_on(servers):
    """Run a test on embedded parts and on servers: each database has one of the examples."""
    both = [
        on_embedded_parts,
        pytest.param(servers, marks=[pytest.mark.integration, pytest.mark.xdist_group("rabbitmq")]),
    ]
    return pytest.mark.parametrize("parts", both, indirect=True)


@pytest.fixture
def parts(request):
    """Give the options and the environment of what the example runs on."""
    return request.param(request)


@also_on(on_mariadb)
def test_the_skeleton_application_measures_monitors_and_shows(example, parts):
    options, environment = parts
    with example.running("skeleton-app", *options, **environment):
        assert "uplot.js" in example.get("/")
        wait_until(
            lambda: re.search(
                r"^cpu_percent \d+ [\d.]+ [\d.e-]+$", example.log("consume_results"), re.MULTILINE
            ),
            "a result of cpu_percent",
        )
        wait_until(
            lambda: re.search(
                r"^cpu_percent [\d.]+ \d+ [\d.e-]+$", example.get("/cpu_percent"), re.MULTILINE
            ),
            "a stored score of cpu_percent",
        )
        assert example.send("PUT", "/door.open", '{"min": 0}')[0] == 400
        assert example.send("GET", "/door.open")[0] == 404
        assert example.send("PUT", "/door.open", "[" * 10_000)[0] == 400
        assert example.send("GET", f"/cpu_percent?since={10**20}")[0] == 400
        assert example.send("PUT", "/door.open", '{"min": 0, "max": 1}')[0] == 201
        assert example.send("PUT", "/door.open", '{"min": 0, "max": 1}')[0] == 201
        assert example.send("POST", "/door.open", "0 1700000000\n1 yesterday\n")[0] == 400
        assert example.send("POST", "/door.open", "0 1700000000\n1 1700000300\n") == (
            200,
            "Saved door.open 0 1700000000\nSaved door.open 1 1700000300\n",
        )
        stored = wait_until(
            lambda: (text := example.get("/door.open")).count("\n") == 2 and "None" not in text and text,
            "two scores",
        )
        assert [line.split()[:3] for line in stored.splitlines()] == [
            ["door.open", "0.0", "1700000000"],
            ["door.open", "1.0", "1700000300"],
        ]
        assert example.get("/door.open?since=1700000000") == stored.splitlines(keepends=True)[1]
    done = subprocess.run(
        [sys.executable, EXAMPLES / "skeleton-app" / "reset_db.py"],
        env=os.environ | environment | {"APPLICATION_CONFIG_PATH": str(example.folder / "conf")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with example.running("skeleton-app", *options, **environment):
        assert example.send("GET", "/door.open")[0] == 404


def test_an_example_takes_new_ports_and_says_why_it_does_not_start(example):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for option in ("--port", "--web-port"):
            other = "--port" if option == "--web-port" else "--web-port"
            code, output = start(example, option, port, other, str(free_port()))
            assert code == 1
            assert output == (
                f"Port {port} on 127.0.0.1 is in use by another program.\n"
                f"End that program, or choose another port: {option}.\n"
            )
    assert not example.folder.exists()
    with example.running("skeleton-app"):
        control = example.folder / "logs" / "supervisor.sock"
        assert stat.S_IMODE(control.stat().st_mode) == 0o700
        assert SupervisorClient(f"unix://{control}").getState()["statename"] == "RUNNING"
        page = example.get("/")
        assert "SCORES_FROM = 200, ALL_FROM = 500" in page
        code, output = start(example)
        assert code == 1
        assert f"skeleton-app runs already: http://127.0.0.1:{example.web_port}/" in output
    code, output = start(example, "--bus", "rabbitmq")
    assert (code, "was made for --bus embedded" in output) == (1, True)
    example.web_port = free_port()
    # It is stopped by SIGINT: while it still imports, Python would tell where it was.
    begun = "model_scheduler.started"
    before = example.log("model_scheduler").count(begun)
    with example.running("skeleton-app"):
        wait_until(lambda: example.log("model_scheduler").count(begun) > before, "the scheduler")
    wrong = {
        path for path in example.folder.rglob("*") if path.stat().st_mode & 0o077 and not path.is_socket()
    }
    assert not {path for path in wrong if path.suffix != ".pyc"}
    programs = example.folder / "conf" / "programs" / "app.conf"
    programs.write_text(programs.read_text().replace("/webapp.py", "/no-such-program.py"))
    code, output = start(example, "--web-port", str(free_port()))
    assert code == 1
    assert "skeleton-app has ended: webapp does not come up. The end of " in output
    assert "no-such-program.py': [Errno 2] No such file or directory" in output


@also_on(on_postgresql)
def test_the_city_gets_its_models_by_itself_and_tells_what_is_unusual(example, parts):
    options, environment = parts
    days = {"TRAFFIC_HISTORY_DAYS": "2", "TRAFFIC_REPLAY_DAYS": "2"}
    with example.running("traffic", *options, **environment, **days):
        routes = {route["metric"] for route in json.loads(example.get("/city"))}
        assert len(routes) == 150
        history = 150 * 2 * 144

        def state():
            found = json.loads(example.get("/state?since=0"))
            return found["scored"] > history and found

        found = wait_until(state, "results of all routes", patience_s=400)
        assert {route["metric"] for route in found["routes"]} == routes
        assert found["alarms"]
        assert json.loads(example.get(f"/state?since={found['version'] + 1000}"))["routes"] == []
        past = json.loads(example.get(f"/route/{found['alarms'][0]['metric']}"))
        assert len(past["times"]) == len(past["speeds"]) == len(past["logScores"]) > 288
        assert max(score for score in past["logScores"] if score is not None) >= 0.5
        assert example.send("GET", "/route/nowhere")[0] == 404
        assert example.send("GET", "/state?since=yesterday")[0] == 400
