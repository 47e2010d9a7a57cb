"""The history of a metric, as a file."""

from __future__ import annotations

import io
from typing import Annotated, Any, Final, cast

import numpy as np
from msgspec import Meta, Struct

from htmengine.admin import backfill
from htmengine.doors.plaintext import parse_line
from htmengine.doors.reasons import BadSample
from htmengine.errors import ExplainedError
from htmengine.web import problems
from htmengine.web.api.jobs import shown
from htmengine.web.jobs import Job
from htmengine.web.operations import Call, Operations
from htmengine.web.problems import Problem
from htmengine.web.shapes import JobAnswer

operations = Operations()

CSV: Final = "text/csv"


class BackfillQuery(Struct, frozen=True):
    """Which columns of the file; without them they are found."""

    time: Annotated[str, Meta(max_length=200)] | None = None
    value: Annotated[str, Meta(max_length=200)] | None = None


MetricName = Annotated[str, Meta(min_length=1, max_length=255)]


@operations("POST", "/backfill/{metric}", "write", body_media={CSV: {"type": "string"}}, status=202)
def backfill_metric(call: Call, metric: MetricName, query: BackfillQuery, body: bytes) -> JobAnswer:
    """Send a metric's history, a CSV file, plain or gzip; live samples of the metric wait until it is complete.

    The answer is a job, which tells how far it is and can be cancelled. `htmengine replay` takes larger files.
    """
    from htmengine.series.options import Options  # here: a file's kind is found by what takes long to import
    from htmengine.series.reader import read

    try:
        parse_line(f"{metric} 0 0")
    except BadSample as error:
        raise Problem(
            problems.BAD_REQUEST, f"{metric[:100]!r} cannot be a metric's name: {error}."
        ) from error
    stream = cast("io.BufferedReader", io.BufferedReader(io.BytesIO(body)))
    try:
        (series,) = read(
            stream, "the file", Options(timestamp=query.time, values=(query.value,) if query.value else ())
        )
    except ExplainedError as error:
        raise Problem(problems.BAD_REQUEST, f"{error} {error.hint}") from error
    known = ~np.isnan(series.values)
    seconds = np.floor(series.timestamps[known]).astype(np.int64).tolist()
    values = series.values[known].tolist()
    context = call.site.context

    def work(job: Job) -> dict[str, Any]:
        with backfill.begun(context, metric) as publish:
            for sent in backfill.sent(metric, seconds, values, publish):
                job.show(sent)
        return {
            "metric": metric,
            "sent": len(seconds),
            "missing": series.missing,
            "skipped": series.bad.count,
            "notes": list(series.notes),
        }

    job = Job("backfill", f"sending the history of {metric}", total=len(seconds))
    return shown(call.site.jobs.start(job, work))
