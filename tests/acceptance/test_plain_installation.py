"""A plain installation works without the packages of extras, and says which extra something needs."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.acceptance

SAMPLE = Path(__file__).parents[2] / "examples/sample/requests.csv"

PLAIN = """
import sys
for package in ("pika", "pymysql", "psycopg", "psycopg_binary", "cryptography", "matplotlib", "pyarrow"):
    sys.modules[package] = None
"""


def plain(program, *arguments):
    """Run a program in a Python without the packages of extras."""
    return subprocess.run(
        [sys.executable, "-c", PLAIN + program, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_documented_client_of_a_broker_says_which_extra_it_needs():
    for statement in (
        "import nta.utils.amqp.synchronous_amqp_client",
        "from nta.utils.amqp import synchronous_amqp_client",
        "from nta.utils.amqp.synchronous_amqp_client import SynchronousAmqpClient",
    ):
        done = plain(statement)
        assert (
            "nta.utils.amqp.synchronous_amqp_client needs the package pika, which is not installed."
            in done.stderr
        )
        assert "ModuleNotFoundError" not in done.stderr


def test_a_plain_installation_detects():
    done = plain("from htmengine.cli import main; main()", "detect", SAMPLE)
    assert done.returncode == 0, done.stderr


EMBEDDED = """
import os
from pathlib import Path
from htmengine.config import templates
folder = Path(sys.argv[1])
templates.write(folder, "app")
os.environ["APPLICATION_CONFIG_PATH"] = str(folder / "conf")
from nta.utils.message_bus_connector import MessageBusConnector
with MessageBusConnector() as bus:
    bus.createMessageQueue("q", True)
    bus.publish("q", b"hello", persistent=True)
    with bus.consume("q", blocking=False) as consumer:
        print(*[message.body for message in consumer])
"""


def test_an_application_on_embedded_parts_needs_no_client_of_a_broker(tmp_path):
    done = plain(EMBEDDED, tmp_path)
    assert (done.stdout, done.stderr) == ("b'hello'\n", "")


@pytest.mark.parametrize(
    "module", ["runtime.engine", "runtime.metric_listener", "cli.up", "adapters.datasource"]
)
def test_services_and_adapters_import_without_extras(module):
    assert plain(f"import htmengine.{module}").returncode == 0
