"""What `htmengine detect` does: read series, score them, write and show what came out."""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import typer

from htmengine.cli.detect import plot, report, summary
from htmengine.cli.detect.scored import ScoredSeries
from htmengine.cli.inputs import files_of, opened
from htmengine.cli.progress import counting_bar, progress_bar
from htmengine.cli.terminal import echo_stderr
from htmengine.errors import ExplainedError, MisuseError
from htmengine.htm import params
from htmengine.htm.arrays import FloatArray
from htmengine.htm.explanation import Explanation
from htmengine.htm.model import Model
from htmengine.series.incidents import IncidentFinder
from htmengine.series.options import Options
from htmengine.series.reader import Series, read
from htmengine.series.writers import ScoreWriter, check_ending, replacing, score_writer

CHUNK_ROWS: Final = 2_000
_LEAST_EXPLAINED = 0.25  # log score that less than one row in a hundred reaches; of what is less unusual there is nothing to say
_WEEK_S = 7 * 86400.0


class Request(NamedTuple):
    """What the user asked for; see the options of `htmengine.cli.commands.detect.detect`."""

    sources: tuple[str, ...]
    reading: Options
    params: str
    minimum: float | None
    maximum: float | None
    seed: int | None
    threshold: float
    top: int
    passes: int
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
        scored = ScoredSeries(_metric_name(series)) if page or request.serves else None
        result = _detect(request, series, writer, scored)
        for note in result.notes:
            echo_stderr(note)
        if page and scored:
            plot.draw(page, plot.Series(*scored.drawn), result)
    (report.print_json if request.json else report.print_table)(result)
    if scored and request.serves:
        _serve(request, [scored])


def _run_several(request: Request) -> None:
    failures: list[tuple[str, ExplainedError]] = []
    results: list[report.Result] = []
    kept: list[ScoredSeries] = []
    sources = files_of(request.sources) or ["-"]
    with ExitStack() as stack:
        writer = stack.enter_context(score_writer(request.out, labelled=True)) if request.out else None
        for source in sources:
            try:
                with opened(source) as (stream, name), progress_bar(stream, "Reading") as show:
                    for series in read(stream, name, request.reading, show=show):
                        scored = ScoredSeries(_metric_name(series)) if request.serves else None
                        results.append(_detect(request, series, writer, scored))
                        kept += [scored] if scored else []
            except ExplainedError as error:  # which costs no other file
                failures.append((source, error))
        if not results:
            raise failures[0][1]
    done = summary.Summary(results, failures)
    (summary.print_json if request.json else summary.print_table)(done, request.threshold, request.top)
    if request.serves:
        _serve(request, kept)
    if failed := [error for source, error in failures if source in request.sources]:
        raise typer.Exit(failed[0].exit_code)  # each has been told


def _detect(
    request: Request,
    series: Series,
    writer: ScoreWriter | None,
    scored: ScoredSeries | None,
) -> report.Result:
    """Score a series; hand its rows on as they are scored."""
    model = _new_model(request, series.values)
    finder = IncidentFinder(request.threshold, request.top)
    with counting_bar() as show:
        later = _learned(model, series, request.passes, show)
        for first in range(0, len(series.lines), CHUNK_ROWS):
            rows = slice(first, first + CHUNK_ROWS)
            timestamps, values = series.timestamps[rows], series.values[rows]
            scores, why = model.score_and_explain(
                timestamps + later, values, threshold=min(request.threshold, _LEAST_EXPLAINED)
            )
            if later:
                why = {place: _earlier(each, later, series.timestamps[0]) for place, each in why.items()}
            finder.add(series.lines[rows], timestamps, values, scores, why)
            if writer:
                writer.write(timestamps, values, scores, series.name)
            if scored:
                scored.add(timestamps, values, scores, why)
            show("Scoring", min(first + CHUNK_ROWS, len(series.lines)), len(series.lines))
    return report.result_of(
        series,
        finder=finder,
        parameters=request.params,
        seed=request.seed,
        threshold=request.threshold,
        top=request.top,
        passes=request.passes,
        outputs=[path for path in (request.out, request.plot) if path],
    )


def _metric_name(series: Series) -> str:
    """Return what the page calls a series: the file's name without its ending, and what tells it from others."""
    stem = Path(series.source).stem
    return f"{stem}: {series.label}" if series.label else stem


def _serve(request: Request, series: list[ScoredSeries]) -> None:
    from htmengine.cli.detect.serve import serve  # loads the web server

    serve(series, request.http_port)


def _learned(model: Model, series: Series, passes: int, show: Callable[[str, int, int], None]) -> float:
    """Let the model read the series once less than `passes`; return how many seconds later the last pass takes place.

    Each pass follows the one before by whole weeks, so that each row keeps its time of the day and of the week.
    """
    timestamps, values = series.timestamps, series.values
    interval = float(np.median(np.diff(timestamps))) if len(timestamps) > 1 else 0.0
    weeks = math.floor((timestamps[-1] - timestamps[0] + interval) / _WEEK_S) + 1
    for done in range(passes - 1):
        for first in range(0, len(timestamps), CHUNK_ROWS):
            rows = slice(first, first + CHUNK_ROWS)
            model.score_series(timestamps[rows] + done * weeks * _WEEK_S, values[rows])
            show("Learning", min(first + CHUNK_ROWS, len(timestamps)), len(timestamps))
    return float((passes - 1) * weeks * _WEEK_S)


def _earlier(why: Explanation, seconds: float, first: float) -> Explanation:
    """Return an explanation whose times are those of the file; an alarm of an earlier pass has none."""
    last = None if why.last_alarm is None else why.last_alarm - seconds
    return replace(
        why, timestamp=why.timestamp - seconds, last_alarm=None if last is None or last < first else last
    )


def _check(request: Request) -> None:
    """Raise MisuseError for what can be seen to be wrong before anything is opened."""
    if request.params not in params.NAMES:
        raise MisuseError(
            f"--params {request.params!r} is not a parameter set.",
            hint=f"Give one of {', '.join(params.NAMES)}.",
        )
    if request.minimum is not None and request.maximum is not None and request.minimum >= request.maximum:
        raise MisuseError(
            f"--min {request.minimum:g} is not below --max {request.maximum:g}.",
            hint="Give a range of values, the lower end as --min.",
        )
    if request.plot:
        if request.asks_for_several:
            raise MisuseError(
                "--plot draws one series, but several are asked for.",
                hint="Leave --plot out, or choose one series with --value and --where.",
            )
        check_ending(request.plot, plot.ENDINGS, "--plot")
        plot.require_packages(request.plot)
    for path in _outputs(request):
        for source in request.sources:
            if path.exists() and Path(source).exists() and path.samefile(source):
                raise MisuseError(f"{path}: is the input itself.", hint="Give the output another name.")


def _outputs(request: Request) -> Iterator[Path]:
    yield from (path for path in (request.out, request.plot) if path)


def _new_model(request: Request, values: FloatArray) -> Model:
    """Return the model that the user asked for; the first values tell what range to expect."""
    minimum, maximum = request.minimum, request.maximum
    usable = values[~np.isnan(values)][: params.ROWS_FOR_RANGE]
    # The default set takes both ends or none: without them it follows the values as they come.
    follows = request.params == "default" and minimum is None and maximum is None
    if not follows and None in (minimum, maximum) and usable.size:
        low, high = params.infer_range(usable)
        minimum = low if minimum is None else minimum
        maximum = high if maximum is None else maximum
    try:
        return Model(
            params.parameter_set(request.params, minimum=minimum, maximum=maximum, seed=request.seed)
        )
    except ValueError as error:
        raise MisuseError(
            f"No model can be made of these options: {error}.",
            hint="Change --params, --min, --max or --seed.",
        ) from error
