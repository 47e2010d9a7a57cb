"""What commands do without: to import it takes as long as all that a command does."""

import json
import subprocess
import sys

import pytest

from htmengine import config
from htmengine.repository import metrics
from htmengine.service.context import opened

SERVERS = ["sqlalchemy.dialects.mysql", "sqlalchemy.dialects.postgresql", "pika", "pymysql", "psycopg", "alembic"]  # fmt: skip
ENGINE = ["google.protobuf", "starlette", "uvicorn", "htmengine.runtime.engine"]
HEAVY = [*SERVERS, *ENGINE, "pydantic", "rich", "matplotlib", "pyarrow", "htmengine.series.reader"]
LOOK = ["status", "status --json", "doctor", "metrics --json", "metrics --limit 5", "incidents --json", "dead list", "tokens list"]  # fmt: skip
WORK = ["results --json", "labels list", "alerts list", "unmonitor m --dry-run", "verify --json"]
HELP = ["--version", "--help", "up --help", "verify --help", "dead list --help"]
PROGRAM = """
import contextlib, io, json, sys
from htmengine.cli.app import app
imported, (wanted, commands) = {}, json.load(sys.stdin)
for command in commands:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            app(command.split(), prog_name="htmengine")
        except SystemExit as end:
            assert end.code in (0, 1), command  # not misused: 1 where no service runs, or no metric has the name
    imported[command] = sorted(sys.modules.keys() & set(wanted))
print(json.dumps(imported))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    with opened(config.embedded(folder)) as context, context.database.write() as conn:
        metrics.create_custom(conn, ["m"])
    return folder


def imported(wanted, commands, folder=None):
    """Return, by command, which of these modules a process has after it and those before it."""
    given = [f"{command} --data {folder}" if folder else command for command in commands]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=json.dumps([wanted, given]), capture_output=True, text=True
    )
    assert done.stderr == ""
    return dict(zip(commands, json.loads(done.stdout).values(), strict=True))


def test_commands_that_only_look_need_no_arrays_no_servers_and_nothing_of_the_engine(folder):
    looked = imported(["sqlalchemy", "numpy", *HEAVY], LOOK, folder)
    assert looked == {command: ["sqlalchemy"] for command in LOOK}


def test_commands_that_work_need_no_servers_and_nothing_of_the_engine(folder):
    worked = imported(["sqlalchemy", *HEAVY], WORK, folder)
    assert worked == {command: ["sqlalchemy"] for command in WORK}


def test_help_needs_no_library_but_the_one_that_shows_it():
    libraries = ["typer", "sqlalchemy", "numpy", "msgspec", "asyncio", *HEAVY]
    assert imported(libraries, HELP) == {command: ["typer"] for command in HELP}


def test_the_whole_engine_needs_no_servers_and_decodes_no_protocol_buffers_before_some_come():
    program = "import json, sys, htmengine.cli.up.running; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    modules = set(json.loads(done.stdout))
    assert "uvicorn" in modules
    assert modules & set(HEAVY) == {"starlette", "uvicorn", "htmengine.runtime.engine"}
