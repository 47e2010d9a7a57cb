"""Anomalies of a file that is no metric: what `htmengine detect` does."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, cast

from msgspec import Meta, Struct

from htmengine.errors import ExplainedError
from htmengine.web import problems
from htmengine.web.api.jobs import shown
from htmengine.web.jobs import Job
from htmengine.web.operations import Call, Operations
from htmengine.web.problems import Problem
from htmengine.web.shapes import JobAnswer

if TYPE_CHECKING:
    from htmengine.detection.result import Choice
    from htmengine.series.reader import Series

operations = Operations()

FILE: Final = "the file"
MEDIA: Final = {
    "text/csv": {"type": "string"},
    "application/octet-stream": {"type": "string", "format": "binary"},
}
"""The first for text; what a file holds is found out in both."""


class DetectQuery(Struct, frozen=True):
    """How the file is read and scored; as the options of `htmengine detect`."""

    time: Annotated[str, Meta(max_length=200)] | None = None
    """Column of the times; without it, it is found, as the one of the values is."""
    value: Annotated[str, Meta(max_length=200)] | None = None
    params: Literal["default", "nupic", "nupic-tm"] = "default"
    """Parameter set of the model."""
    minimum: float | None = None
    """The lowest value to expect, and `maximum` the highest; without them they follow from the rows."""
    maximum: float | None = None
    threshold: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """Log score from which a row is an anomaly."""
    passes: Annotated[int, Meta(ge=1, le=10)] = 1
    """2: the model reads the whole file before it scores it, which no live engine can."""


@operations("POST", "/detect", "read", body_media=MEDIA, status=202, audited=False)
def detect_in_file(call: Call, query: DetectQuery, body: bytes) -> JobAnswer:
    """Score a file by a model of its own; nothing of it is stored as a metric.

    The file may be of any kind that `htmengine detect` reads. The answer is a job; its result is what the page draws.
    """
    from htmengine.detection.result import Choice  # here: a file's kind is found by what takes long to import
    from htmengine.detection.scoring import new_model
    from htmengine.series.options import Options
    from htmengine.series.reader import read

    choice = Choice(
        params=query.params,
        minimum=query.minimum,
        maximum=query.maximum,
        threshold=query.threshold,
        passes=query.passes,
    )
    limits = [limit for limit in (query.minimum, query.maximum) if limit is not None]
    if not all(map(math.isfinite, limits)) or (len(limits) == 2 and limits[0] >= limits[1]):
        raise Problem(problems.BAD_REQUEST, "Give numbers as minimum and maximum, the lower one as minimum.")
    stream = cast("io.BufferedReader", io.BufferedReader(io.BytesIO(body)))
    values = (query.value,) if query.value else ()
    try:
        (series,) = read(stream, FILE, Options(timestamp=query.time, values=values))
        new_model(choice, series.values)  # so that a wrong choice is told at once
    except ExplainedError as error:
        raise Problem(problems.BAD_REQUEST, f"{error} {error.hint}") from error

    job = Job("detect", "Scoring", total=len(series.lines))
    return shown(call.site.jobs.start(job, lambda job: _scored(job, series, choice)))


def _scored(job: Job, series: Series, choice: Choice) -> dict[str, Any]:
    from htmengine.detection import picture
    from htmengine.detection.scored import ScoredSeries
    from htmengine.detection.scoring import detect

    def show(stage: str, done: int, _total: int) -> None:
        job.stage = stage
        job.show(done)

    kept = ScoredSeries(series)
    return picture.document(detect(series, choice, kept=kept, show=show), kept)
