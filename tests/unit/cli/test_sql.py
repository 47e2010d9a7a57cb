"""`htmengine sql`: the documented tables, compressed rows included, and nothing that changes them."""

import json
import signal
import sqlite3
import threading

import pytest
from typer.testing import CliRunner

from htmengine import config
from htmengine.cli import sql
from htmengine.cli.app import app
from htmengine.errors import MisuseError
from htmengine.repository import metrics, questions
from htmengine.repository.embedded import compaction, merging, rows
from htmengine.service.context import opened
from tests.unit.repository.embedded.test_compaction import compact_all
from tests.unit.repository.rows import add_rows, score_rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return an installation with a metric of 40 rows, of which 32 are compressed."""
    path = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "MIN_RUN_ROWS", 4)
        patch.setattr(rows, "ROWS_OF_METRIC", 2)
        patch.setattr(merging, "RUNS_TO_MERGE", 2)
        patch.setattr(compaction, "BLOCK_ROWS", 8)
        patch.setattr(compaction, "PLAIN_S", 0.0)
        with opened(config.embedded(path)) as context:
            with context.database.write() as conn:
                uid = metrics.create_custom(conn, ["web.a"])["web.a"]
                for _ in range(10):
                    add_rows(conn, uid, 4)
                score_rows(conn, uid, 1, 40)
            compact_all(context.database)
    return path


def asked(folder, *arguments, **options):
    return CliRunner().invoke(app, ["sql", "--data", str(folder), *arguments], **options)


COUNT = "SELECT name, count(*) AS rows, max(data.rowid) AS newest FROM metric JOIN metric_data AS data USING (uid) GROUP BY 1"


def test_compressed_rows_are_read(folder):
    with sqlite3.connect(folder / "repository.sqlite") as plain, pytest.raises(sqlite3.Error) as refused:
        plain.execute(COUNT)
    assert str(refused.value) == "no such function: htmengine_block_item"  # see docs/howto/troubleshoot.md
    found = asked(folder, COUNT)
    assert found.stdout.splitlines() == ["name   rows  newest", "web.a    40      40"]
    assert found.stderr == "1 row.\n"


def test_rows_come_as_json_and_as_csv(folder):
    question = "SELECT rowid, metric_value AS value, NULL AS none, x'0aff' AS bytes, 'a,\"b\"' AS text FROM metric_data WHERE rowid < 3"
    lines = asked(folder, question, "--json").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [
        {"rowid": row, "value": value, "none": None, "bytes": "Cv8=", "text": 'a,"b"'}
        for row, value in ((1, 1.0), (2, 2.0))
    ]
    assert asked(folder, question, "--csv").stdout.splitlines() == [
        "rowid,value,none,bytes,text",
        '1,1.0,,0aff,"a,""b"""',
        '2,2.0,,0aff,"a,""b"""',
    ]


def test_a_statement_may_come_from_standard_input(folder):
    assert asked(folder, "--csv", input="SELECT 1 AS one;\n").stdout == "one\n1\n"
    assert asked(folder, "-", "--csv", input="SELECT 2 AS two").stdout == "two\n2\n"


@pytest.mark.parametrize(
    ("statement", "said", "hint"),
    [
        ("SELECT * FROM metrics", "SQL: no such table: metrics.", "docs/reference/tables.md"),
        ("DELETE FROM metric", "readonly", "only reads"),
        ("SELECT 1; SELECT 2", "one statement at a time", "each by itself"),
        ("SELEC 1", 'SQL: near "SELEC": syntax error.', "docs/reference/tables.md"),
    ],
)
def test_what_cannot_be_answered_is_explained(folder, statement, said, hint):
    refused = asked(folder, statement)
    assert refused.exit_code == MisuseError.exit_code
    assert said in refused.stderr
    assert hint in refused.stderr


def test_nothing_can_be_switched_on_that_writes(folder):
    path = folder / "repository.sqlite"
    with questions.asked(path, "PRAGMA query_only = OFF"):
        pass
    with pytest.raises(MisuseError, match="readonly"), questions.asked(path, "UPDATE metric SET name = 'x'"):
        pass


def test_rows_on_a_server_are_asked_there():
    settings = config.Settings(repository=config.Repository(dialect="postgresql", host="db.example"))
    with pytest.raises(MisuseError, match=r"postgresql on db\.example"):
        sql.repository_file(settings)


def test_a_long_question_can_be_interrupted(folder):
    endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # programs in the background ignore it
    try:
        timer = threading.Timer(0.1, signal.raise_signal, [signal.SIGINT])
        timer.start()
        with (
            pytest.raises(KeyboardInterrupt),
            questions.asked(folder / "repository.sqlite", endless) as answer,
        ):
            list(answer.rows)
        timer.join()
    finally:
        signal.signal(signal.SIGINT, before)


def test_rows_are_compressed_where_that_is_said_and_plain_again_where_that_is(folder):
    said = CliRunner().invoke(app, ["db", "compress", "--data", str(folder)])
    assert said.exit_code == 0
    assert "from now on" in said.stderr
    with opened(config.embedded(folder)) as context, context.database.read() as conn:
        assert compaction.is_wanted(conn)
    assert (
        "No rows are compressed."
        in CliRunner().invoke(app, ["db", "compress", "--undo", "--data", str(folder)]).stderr
    )
    with opened(config.embedded(folder)) as context, context.database.read() as conn:
        assert not compaction.is_wanted(conn)
    with sqlite3.connect(folder / "repository.sqlite") as plain:
        assert plain.execute(COUNT).fetchall() == [("web.a", 40, 40)]
