"""What `htmengine sql` prints: a statement's answer as a table, as CSV or as lines of JSON."""

import csv
import io
from pathlib import Path
from typing import Any

import msgspec

from htmengine.cli.session import number_of, print_table
from htmengine.cli.terminal import echo_stderr, echo_stdout
from htmengine.config import Settings
from htmengine.errors import MisuseError
from htmengine.repository.questions import Answer, asked


def repository_file(settings: Settings) -> Path:
    """Return the repository's file. Raises MisuseError where the rows are on a server."""
    repository = settings.repository
    if repository.dialect != "sqlite" or repository.path is None:
        raise MisuseError(
            f"The rows of this installation are on a server: {repository.dialect} on {repository.host}.",
            hint="Ask it with its own client; the tables are the same (docs/reference/tables.md).",
        )
    return repository.path


def ask(path: Path, statement: str, *, as_json: bool, as_csv: bool) -> None:
    """Print what a statement gives."""
    with asked(path, statement) as answer:
        if as_json:
            for row in answer.rows:
                echo_stdout(msgspec.json.encode(dict(zip(answer.columns, row, strict=True))).decode())
        elif as_csv:
            _print_csv(answer)
        else:
            rows = [[_cell(item) for item in row] for row in answer.rows]
            if answer.columns:
                print_table(answer.columns, rows)
            echo_stderr(f"{number_of(len(rows), 'row')}.")


def _print_csv(answer: Answer) -> None:
    for row in (answer.columns, *answer.rows) if answer.columns else ():
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(
            [item.hex() if isinstance(item, bytes) else item for item in row]
        )
        echo_stdout(line.getvalue())


def _cell(item: Any) -> Any:
    return f"{number_of(len(item), 'byte')}" if isinstance(item, bytes) else item
