"""Histories in files of any kind that is read, each with one series or several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from htmengine.doors import names
from htmengine.doors.reasons import BadSample
from htmengine.errors import ExplainedError, MisuseError
from htmengine.histories.source import Origin, Points
from htmengine.series.folders import files_in
from htmengine.series.options import Options
from htmengine.series.reader import Series, read

PIECE: Final = 10_000


class Files:
    """Files, each of which is read when its turn comes.

    Parameters
    ----------
    paths : of files, with the names that their metrics begin with.
    say : told what was guessed, and which rows are left out.
    fail : told of a file that cannot be read; the others are read all the same.
    """

    def __init__(
        self,
        paths: Sequence[tuple[Path, str]],
        options: Options,
        *,
        say: Callable[[str], None] = lambda _: None,
        fail: Callable[[str, ExplainedError], None],
    ) -> None:
        self._paths = paths
        self._options = options
        self._say = say
        self._fail = fail

    def series(self, since: float, until: float) -> Iterator[Origin]:
        """Yield the series of the files."""
        for path, stem in self._paths:
            try:
                with path.open("rb") as stream:
                    found = list(read(stream, str(path), self._options))
            except OSError as error:
                reason = MisuseError(
                    f"{path}: cannot be read: {error.strerror or error}.",
                    hint="Give files that you may read.",
                )
                self._fail(str(path), reason)
                continue
            except ExplainedError as error:
                self._fail(str(path), error)
                continue
            for one in found:
                for note in one.notes:
                    self._say(f"{one.name}: {note}")
                for bad in one.bad.first[:3]:
                    self._say(f"{one.name}: line {bad.line} is skipped: {bad.reason}")
                label = one.label or (one.value.column.name if len(found) > 1 else "")
                base = ".".join(filter(None, (stem, label or "")))
                try:
                    yield Origin(names.canonical(base, {}), one)
                except BadSample as error:
                    self._fail(
                        one.name, MisuseError(f"{base!r} cannot be a metric's name: {error}.", hint="")
                    )

    def points(self, origin: Origin, since: float, until: float) -> Iterator[Points]:
        """Yield the samples of a series."""
        series: Series = origin.key
        inside = (series.timestamps >= since) & (series.timestamps <= until)
        times, values = series.timestamps[inside].tolist(), series.values[inside].tolist()
        for first in range(0, len(times), PIECE):
            yield Points(times[first : first + PIECE], values[first : first + PIECE])


def named(sources: Sequence[str]) -> list[tuple[Path, str]]:
    """Return files with their stems; those of a folder stand for it, with the folders between as parts of the name.

    Raises MisuseError: there is no such file, or a folder has none.
    """
    found: list[tuple[Path, str]] = []
    for source in sources:
        path = Path(source)
        if not path.is_dir():
            if not path.exists():
                raise MisuseError(f"{path}: there is no such file.", hint="Give files or folders of files.")
            found.append((path, _stem(path.name)))
            continue
        for one in files_in(path):
            *folders, name = one.relative_to(path).parts
            found.append((one, ".".join([*folders, _stem(name)])))
    return found


def _stem(name: str) -> str:
    """Return a file's name without what says its format: `web.requests` of `web.requests.csv.gz`."""
    stem = Path(name)
    while stem.suffix.lower() in _FORMATS:
        stem = stem.with_suffix("")
    return stem.name


_FORMATS: Final = frozenset(
    [
        ".csv",
        ".tsv",
        ".txt",
        ".json",
        ".jsonl",
        ".ndjson",
        ".log",
        ".gz",
        ".bz2",
        ".xz",
        ".zst",
        ".zip",
        ".parquet",
        ".xlsx",
    ]
)
