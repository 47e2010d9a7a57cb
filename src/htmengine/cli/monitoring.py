"""What `htmengine monitor`, `unmonitor`, `export` and `import` do: the datasource adapter, in words of a command."""

import json
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, get_args

from htmengine import config, exceptions
from htmengine.adapters.datasource.custom import CustomAdapter
from htmengine.admin.export import rows_of
from htmengine.errors import ExplainedError, MisuseError
from htmengine.repository import overview
from htmengine.repository.metrics import CUSTOM
from htmengine.repository.overview import MetricOverview
from htmengine.series.writers import score_writer
from htmengine.service.context import Context


def monitor(
    context: Context,
    name: str,
    minimum: float | None,
    maximum: float | None,
    model: str | None,
    params_json: str | None,
) -> dict[str, Any]:
    """Give a metric a model and return how the metric stands then."""
    if (minimum is None) != (maximum is None):
        raise MisuseError(
            "One of --min and --max is given.", hint="Give both, or none: then the model finds its range."
        )
    if minimum is not None and maximum is not None and maximum < minimum:
        raise MisuseError(
            f"--max {maximum:g} is below --min {minimum:g}.", hint="Give the lowest value as --min."
        )
    if model is not None and model not in get_args(config.ModelName):
        raise MisuseError(
            f"--model {model!r} is not a parameter set.",
            hint=f"Give one of {', '.join(get_args(config.ModelName))}.",
        )
    spec: dict[str, Any] = {"datasource": CUSTOM, "metricSpec": {"metric": name}}
    if params_json:
        spec |= _parsed(params_json)
    if minimum is not None:
        spec["modelParams"] = spec.get("modelParams", {}) | {"min": minimum, "max": maximum}
    with _explained(name):
        adapter(context, model).monitorMetric(spec)
    return _standing(context, name)


def unmonitor(context: Context, name: str) -> dict[str, Any]:
    """Delete a metric's model and return how the metric stands then."""
    with _explained(name):
        adapter(context).unmonitorMetric(known(context, name).uid)
    return _standing(context, name)


def ensure_monitored(context: Context, names: Iterable[str]) -> None:
    """Give those of the named metrics a model that have none."""
    custom = adapter(context)
    for name in names:
        with suppress(exceptions.MetricAlreadyMonitored):
            custom.monitorMetric({"datasource": CUSTOM, "metricSpec": {"metric": name}})


def adapter(context: Context, model: str | None = None) -> CustomAdapter:
    """Return the adapter of custom metrics; `model` overrules the engine's setting."""
    settings = context.settings if model is None else context.settings.with_scheduler(model=model)
    return CustomAdapter(context.database, context.bus, settings)


def known(context: Context, name: str) -> MetricOverview:
    """Return a metric. Raises MisuseError where there is none of this name."""
    with context.database.read() as conn:
        metric = overview.metric(conn, name)
    if metric is None:
        raise _unknown([name])
    return metric


def require_all(names: Iterable[str], found: Container[str]) -> None:
    """Raise MisuseError where some of the names are not among those that were found."""
    if missing := [name for name in names if name not in found]:
        raise _unknown(missing)


def _unknown(names: Iterable[str]) -> MisuseError:
    return MisuseError(
        f"{', '.join(names)}: there is no metric of this name.",
        hint="`htmengine metrics` lists them; the case of letters counts. Send a sample to create one.",
    )


def export(context: Context, name: str) -> dict[str, Any]:
    """Return what `import` takes: a metric's specification and its samples."""
    metric = known(context, name)
    if not metric.monitored:
        raise MisuseError(
            f"{name}: has no model, so there is nothing to export.",
            hint=f"Give it one first: htmengine monitor {name}",
        )
    with _explained(name):
        exported: dict[str, Any] = adapter(context).exportModel(metric.uid, days=None)
    return exported


def export_rows(context: Context, name: str, path: Path) -> int:
    """Write a metric's rows with their scores, as `detect --out` does, and return how many."""
    uid, count = known(context, name).uid, 0
    with score_writer(path) as writer:
        for rows in rows_of(context, uid):
            writer.write(rows.timestamps, rows.values, rows.scores)
            count += len(rows.values)
    return count


def import_(context: Context, text: str, source: str) -> dict[str, Any]:
    """Create and monitor the metric of an export and return how it stands then."""
    try:
        spec = json.loads(text)
        name = spec["metricSpec"]["metric"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        no_json = isinstance(error, ValueError | RecursionError)
        reason = f"not JSON: {error}" if no_json else "it names no metric"
        raise MisuseError(
            f"{source}: is not what `htmengine export` writes: {reason}.", hint="Export the metric again."
        ) from error
    with _explained(name):
        adapter(context).importModel(spec)
    return _standing(context, name)


def _standing(context: Context, name: str) -> dict[str, Any]:
    metric = known(context, name)
    return {"metric": name, "uid": metric.uid, "status": metric.status_name, "samples": metric.last_rowid}


def _parsed(text: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MisuseError(f"--params-json is not JSON: {error}.", hint="Mind the quotes.") from error
    allowed = {"modelParams", "completeModelParams"}
    if not isinstance(parsed, dict) or not set(parsed) <= allowed:
        raise MisuseError(
            "--params-json must be an object with `modelParams` or `completeModelParams`.",
            hint="""For example --params-json '{"modelParams": {"minResolution": 0.5}}'.""",
        )
    return parsed


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn the errors of the documented API into those that a person reads."""
    try:
        yield
    except exceptions.MetricAlreadyMonitored as error:
        raise ExplainedError(
            f"{name}: has a model already.",
            hint=f"To start it anew, with a new model: htmengine unmonitor {name} && htmengine monitor {name}",
        ) from error
    except (ValueError, TypeError, exceptions.HTMEngineError) as error:
        raise MisuseError(
            f"{name}: {error}", hint="See docs/reference/monitoring.md for what can be given."
        ) from error
