"""What `htmengine detect` does: read series, score them, write and show what came out."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import typer

from htmengine.cli.detect import report, summary
from htmengine.cli.inputs import files_of, opened
from htmengine.cli.progress import counting_bar, progress_bar
from htmengine.cli.terminal import echo_stderr
from htmengine.detection.result import Choice, Result
from htmengine.detection.scored import ScoredSeries
from htmengine.detection.scoring import detect
from htmengine.errors import ExplainedError, MisuseError
from htmengine.htm import params
from htmengine.series.options import Options
from htmengine.series.reader import Series, read
from htmengine.series.writers import ScoreWriter, check_ending, replacing, score_writer


class Request(NamedTuple):
    """What the user asked for; see the options of `htmengine.cli.commands.detect.detect`."""

    sources: tuple[str, ...]
    reading: Options
    choice: Choice
    out: Path | None
    plot: Path | None
    serves: bool
    """Whether the engine's page is to show what came out."""
    http_port: int
    """Of that page; 0 takes a free one."""
    json: bool

    @property
    def asks_for_several(self) -> bool:
        """Whether many series are to be scored, and not the one of a file."""
        reading = self.reading
        return (
            len(self.sources) > 1
            or any(Path(source).is_dir() for source in self.sources)
            or reading.all_series
            or bool(reading.by)
            or len(reading.values) > 1
        )


def run(request: Request) -> None:
    """Carry out a request; results go to stdout, advice to stderr."""
    _check(request)
    if request.asks_for_several:
        _run_several(request)
    else:
        _run_one(request)


def _run_one(request: Request) -> None:
    with ExitStack() as stack:
        # Outputs are opened first: a path that cannot be written is found before the work is done.
        source = request.sources[0] if request.sources else None
        stream, name = stack.enter_context(opened(source))
        writer = stack.enter_context(score_writer(request.out)) if request.out else None
        page = stack.enter_context(replacing(request.plot)) if request.plot else None
        with progress_bar(stream, "Reading") as show:
            (series,) = read(stream, name, request.reading, show=show)
        scored = ScoredSeries(series) if page or request.serves else None
        result = _detect(request, series, writer, scored)
        for note in result.notes:
            echo_stderr(note)
        if page and scored:
            from htmengine.cli.detect import plot  # loads what incidents are told with

            plot.draw(page, scored, result)
    (report.print_json if request.json else report.print_table)(result)
    if scored and request.serves:
        _serve(request, [scored])


def _run_several(request: Request) -> None:
    failures: list[tuple[str, ExplainedError]] = []
    results: list[Result] = []
    kept: list[ScoredSeries] = []
    sources = files_of(request.sources) or ["-"]
    with ExitStack() as stack:
        writer = stack.enter_context(score_writer(request.out, labelled=True)) if request.out else None
        for source in sources:
            try:
                with opened(source) as (stream, name), progress_bar(stream, "Reading") as show:
                    for series in read(stream, name, request.reading, show=show):
                        scored = ScoredSeries(series) if request.serves else None
                        results.append(_detect(request, series, writer, scored))
                        kept += [scored] if scored else []
            except ExplainedError as error:  # which costs no other file
                failures.append((source, error))
        if not results:
            raise failures[0][1]
    done = summary.Summary(results, failures)
    (summary.print_json if request.json else summary.print_table)(
        done, request.choice.threshold, request.choice.top
    )
    if request.serves:
        _serve(request, kept)
    if failed := [error for source, error in failures if source in request.sources]:
        raise typer.Exit(failed[0].exit_code)  # each has been told


def _detect(
    request: Request,
    series: Series,
    writer: ScoreWriter | None,
    scored: ScoredSeries | None,
) -> Result:
    with counting_bar() as show:
        result = detect(series, request.choice, writer=writer, kept=scored, show=show)
    return result._replace(outputs=tuple(_outputs(request)))


def _serve(request: Request, series: list[ScoredSeries]) -> None:
    from htmengine.cli.detect.serve import serve  # loads the web server

    serve(series, request.choice, request.http_port)


def _check(request: Request) -> None:
    """Raise MisuseError for what can be seen to be wrong before anything is opened."""
    choice = request.choice
    if choice.params not in params.NAMES:
        raise MisuseError(
            f"--params {choice.params!r} is not a parameter set.",
            hint=f"Give one of {', '.join(params.NAMES)}.",
        )
    if choice.minimum is not None and choice.maximum is not None and choice.minimum >= choice.maximum:
        raise MisuseError(
            f"--min {choice.minimum:g} is not below --max {choice.maximum:g}.",
            hint="Give a range of values, the lower end as --min.",
        )
    if request.plot:
        if request.asks_for_several:
            raise MisuseError(
                "--plot draws one series, but several are asked for.",
                hint="Leave --plot out, or choose one series with --value and --where.",
            )
        from htmengine.cli.detect import plot

        check_ending(request.plot, plot.ENDINGS, "--plot")
        plot.require_packages(request.plot)
    for path in _outputs(request):
        for source in request.sources:
            if path.exists() and Path(source).exists() and path.samefile(source):
                raise MisuseError(f"{path}: is the input itself.", hint="Give the output another name.")


def _outputs(request: Request) -> Iterator[Path]:
    yield from (path for path in (request.out, request.plot) if path)
