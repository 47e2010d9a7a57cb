"""What `htmengine monitor`, `unmonitor`, `delete`, `export` and `import` do: the datasource adapter, in words of a command."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

from htmengine import config, exceptions
from htmengine.adapters.datasource.custom import CustomAdapter
from htmengine.admin.export import rows_of
from htmengine.cli.progress import counting_bar
from htmengine.cli.selection import confirm, require_all, select, unknown
from htmengine.cli.session import print_json
from htmengine.cli.terminal import echo_stderr
from htmengine.errors import ExplainedError, MisuseError
from htmengine.readable import counted
from htmengine.repository import overview
from htmengine.repository.chunks import in_chunks
from htmengine.repository.metrics import CUSTOM
from htmengine.repository.overview import MetricOverview
from htmengine.repository.status import MetricStatus
from htmengine.series.writers import score_writer
from htmengine.service.context import Context

MODELS_BATCH_SIZE: Final = 200
"""Models that are started in one transaction."""
MAX_SHOWN: Final = 10
"""Errors that are shown when many metrics could not be changed."""


class Scope(NamedTuple):
    """Which metrics a command changes, and whether it does."""

    names: Sequence[str]
    """Names, or patterns of them."""
    regex: bool = False
    dry_run: bool = False
    yes: bool = False


def monitor(
    context: Context,
    scope: Scope,
    minimum: float | None,
    maximum: float | None,
    model: str | None,
    params_json: str | None,
) -> None:
    """Give metrics a model each, and print how each stands then. A name that no metric has creates one."""
    more = _model_spec(minimum, maximum, model, params_json)
    selection = select(context, scope.names, regex=scope.regex)
    # One that is named and has a model is an error; one that a pattern fits needs nothing.
    wanted = [
        state.name
        for state in selection.found
        if state.status == MetricStatus.UNMONITORED or state.name in scope.names
    ]
    wanted += selection.unknown
    if scope.dry_run:
        _print_standing(context, wanted)
        echo_stderr(f"{counted(len(wanted), 'metric')} would get a model; nothing was changed.")
        return
    confirm("Give a model to", len(wanted), yes=scope.yes)
    custom = adapter(context, model)

    def start(names: Sequence[str]) -> None:
        custom.monitorMetrics(
            [{"datasource": CUSTOM, "metricSpec": {"metric": name}, **more} for name in names]
        )

    done = changed(wanted, start, "Monitoring", together=MODELS_BATCH_SIZE)
    _print_standing(context, done.names)
    if len(scope.names) > 1 or selection.patterns:
        left = len(selection.found) + len(selection.unknown) - len(wanted)
        had = f"; {left:,} had one" if left else ""
        echo_stderr(f"{counted(len(done.names), 'metric')} got a model{had}.")
    done.require_all()


def unmonitor(context: Context, scope: Scope) -> None:
    """Delete the models of metrics, and print how each stands then."""
    found = require_all(select(context, scope.names, regex=scope.regex))
    uids = {
        state.name: state.uid
        for state in found
        if state.status != MetricStatus.UNMONITORED or state.name in scope.names
    }
    if scope.dry_run:
        _print_standing(context, list(uids))
        echo_stderr(f"{counted(len(uids), 'metric')} would lose model and scores; nothing was changed.")
        return
    confirm("Delete model and scores of", len(uids), yes=scope.yes)
    custom = adapter(context)
    done = changed(list(uids), lambda names: custom.unmonitorMetric(uids[names[0]]), "Unmonitoring")
    _print_standing(context, done.names)
    if len(found) > 1:
        echo_stderr(f"{counted(len(done.names), 'metric')} lost model and scores.")
    done.require_all()


def delete(context: Context, scope: Scope) -> None:
    """Delete metrics with all that is stored of them, and print their names."""
    found = require_all(select(context, scope.names, regex=scope.regex))
    names = [state.name for state in found]
    if scope.dry_run:
        _print_standing(context, names)
        rows = sum(state.last_rowid for state in found)
        echo_stderr(
            f"{counted(len(names), 'metric')} with up to {counted(rows, 'sample')} would be deleted; "
            "nothing was changed."
        )
        return
    confirm("Delete, with samples, scores, alarms and models,", len(names), yes=scope.yes, always=True)
    custom = adapter(context)
    done = changed(names, lambda names: custom.deleteMetricByName(names[0]), "Deleting")
    for name in done.names:
        print_json({"metric": name, "deleted": True})
    if len(found) > 1:
        echo_stderr(f"{counted(len(done.names), 'metric')} deleted.")
    done.require_all()


def _model_spec(
    minimum: float | None, maximum: float | None, model: str | None, params_json: str | None
) -> dict[str, Any]:
    """Return what a specification says of the model. Raises MisuseError."""
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
    spec = _parsed(params_json) if params_json else {}
    if minimum is not None:
        spec["modelParams"] = spec.get("modelParams", {}) | {"min": minimum, "max": maximum}
    return spec


class Done(NamedTuple):
    """What came of a change to many metrics."""

    names: list[str]
    """Of those that were changed."""
    failed: list[ExplainedError]

    def require_all(self) -> None:
        """Raise the error where one failed, and one that tells of them where several did."""
        if len(self.failed) == 1:
            raise self.failed[0]
        if self.failed:
            for error in self.failed[:MAX_SHOWN]:
                echo_stderr(f"{error}")
            unshown = len(self.failed) - MAX_SHOWN
            and_more = f", the first {MAX_SHOWN} above" if unshown > 0 else ""
            raise ExplainedError(
                f"{counted(len(self.failed), 'metric')} could not be changed{and_more}; the others were.",
                hint=self.failed[0].hint,
            )


def changed(
    names: Sequence[str], change: Callable[[Sequence[str]], object], label: str, *, together: int = 1
) -> Done:
    """Change metrics, so many at a time, with progress; one that cannot be changed costs no other."""
    done = Done([], [])
    with counting_bar() as show:
        for some in in_chunks(names, together):
            try:
                with _explained(some[0]):
                    change(some)
                done.names.extend(some)
            except ExplainedError as error:
                if len(some) == 1:
                    done.failed.append(error)
                else:
                    alone = changed(some, change, label)
                    done.names.extend(alone.names)
                    done.failed.extend(alone.failed)
            show(label, len(done.names) + len(done.failed), len(names))
    return done


def _print_standing(context: Context, names: Sequence[str]) -> None:
    """Print a document for each metric; one that does not exist yet has no uid."""
    with context.database.read() as conn:
        found = {metric.name: metric for metric in overview.metrics(conn, names)}
    for name in names:
        print_json(_standing(name, found.get(name)))


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
        raise unknown([name])
    return metric


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
    return _standing(name, known(context, name))


def _standing(name: str, metric: MetricOverview | None) -> dict[str, Any]:
    if metric is None:
        return {"metric": name, "uid": None, "status": None, "samples": 0}
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
