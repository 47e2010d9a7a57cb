"""What `htmengine detect` does: read rows, score them, write and show what came out."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from htmengine.cli.detect import plot, report
from htmengine.cli.progress import progress_bar
from htmengine.cli.terminal import echo_stderr
from htmengine.errors import MisuseError
from htmengine.htm import params
from htmengine.htm.arrays import FloatArray
from htmengine.htm.model import Model
from htmengine.series.incidents import IncidentFinder
from htmengine.series.reader import Chunk, SeriesReader
from htmengine.series.writers import check_ending, replacing, score_writer

_LEAST_EXPLAINED = 0.25  # log score that less than one row in a hundred reaches; of what is less unusual there is nothing to say


class Request(NamedTuple):
    """What the user asked for; see the options of `htmengine.cli.detect.detect`."""

    source: str | None
    timestamp: str | None
    value: str | None
    day_first: bool | None
    params: str
    minimum: float | None
    maximum: float | None
    seed: int | None
    threshold: float
    top: int
    out: Path | None
    plot: Path | None
    json: bool


def run(request: Request) -> None:
    """Carry out a request; results go to stdout, advice to stderr."""
    _check(request)
    with ExitStack() as stack:
        # Outputs are opened first: a path that cannot be written is found before the work is done.
        stream, name = stack.enter_context(_open(request))
        writer = stack.enter_context(score_writer(request.out)) if request.out else None
        page = stack.enter_context(replacing(request.plot)) if request.plot else None
        reader = SeriesReader(
            stream,
            name,
            timestamp=request.timestamp,
            value=request.value,
            day_first=request.day_first,
        )
        for note in reader.layout.notes:
            echo_stderr(note)

        model: Model | None = None
        finder = IncidentFinder(request.threshold, request.top)
        extent = report.Extent()
        history: list[tuple[FloatArray, FloatArray, FloatArray]] = []
        show_progress = stack.enter_context(progress_bar(stream))
        for chunk in reader.chunks():
            model = model or _new_model(request, chunk)
            scores, why = model.score_and_explain(
                chunk.timestamps, chunk.values, threshold=min(request.threshold, _LEAST_EXPLAINED)
            )
            extent.add(chunk.timestamps)
            finder.add(*chunk, scores, why)
            if writer:
                writer.write(chunk.timestamps, chunk.values, scores)
            if page:
                history.append((chunk.timestamps, chunk.values, scores.log_score))
            show_progress(extent.rows)
        reader.require_rows(extent.rows)
        result = report.Result(
            reader=reader,
            extent=extent,
            finder=finder,
            parameters=request.params,
            seed=request.seed,
            threshold=request.threshold,
            top=request.top,
            outputs=[path for path in (request.out, request.plot) if path],
        )
        if page:
            columns = [np.concatenate(column) for column in zip(*history, strict=True)]
            plot.draw(page, plot.Series(*columns), result)
    (report.print_json if request.json else report.print_table)(result)


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
        check_ending(request.plot, plot.ENDINGS, "--plot")
        plot.require_packages(request.plot)
    outputs = [path for path in (request.out, request.plot) if path]
    if request.source not in (None, "-"):
        for path in outputs:
            if path.exists() and Path(str(request.source)).exists() and path.samefile(str(request.source)):
                raise MisuseError(f"{path}: is the input itself.", hint="Give the output another name.")


@contextmanager
def _open(request: Request) -> Iterator[tuple[io.BufferedReader, str]]:
    """Give the bytes to read and their name for messages."""
    if request.source in (None, "-"):
        if sys.stdin is None or (request.source is None and sys.stdin.isatty()):
            raise MisuseError(
                "There is nothing to read: no file is named and nothing is piped in.",
                hint="Name a file, as in `htmengine detect requests.csv`, or give - to type rows by hand.",
            )
        # A duplicate of its own: closing it leaves the process's standard input alone.
        with os.fdopen(os.dup(sys.stdin.fileno()), "rb") as stream:
            yield stream, "standard input"
        return
    path = Path(str(request.source))
    try:
        file = path.open("rb")
    except OSError as error:
        raise MisuseError(
            f"{path}: cannot be read: {error.strerror or error}.",
            hint="Give the path of a CSV file that you may read, or - for standard input.",
        ) from error
    with file as stream:
        yield stream, str(path)


def _new_model(request: Request, first: Chunk) -> Model:
    """Return the model that the user asked for; `first` tells what range of values to expect."""
    minimum, maximum = request.minimum, request.maximum
    usable = first.values[~np.isnan(first.values)][: params.ROWS_FOR_RANGE]
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
