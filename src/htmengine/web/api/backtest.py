"""What other models and rules would have told: what `htmengine backtest` does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

from msgspec import Meta, Struct, field

from htmengine.admin import backtest
from htmengine.alerts import rules_file
from htmengine.alerts.rules import Rules
from htmengine.config.settings import ModelName
from htmengine.errors import ExplainedError
from htmengine.labels.files import Label
from htmengine.runtime.metric_storer import name_patterns
from htmengine.web import problems
from htmengine.web.api.jobs import shown
from htmengine.web.jobs import Job
from htmengine.web.operations import Call, Operations
from htmengine.web.problems import Problem
from htmengine.web.shapes import JobAnswer

operations = Operations()

LATEST: Final = 253_402_300_799

Seconds = Annotated[float, Meta(ge=0, le=LATEST)]


class Window(Struct, frozen=True):
    """A time of a metric that was an anomaly, both ends included."""

    metric: Annotated[str, Meta(min_length=1, max_length=255)]
    first: Seconds
    last: Seconds


class WantedBacktest(Struct, frozen=True):
    """What to try, and on what."""

    since: Seconds
    until: Seconds | None = None
    """Now, if it is not given."""
    match: Annotated[str, Meta(min_length=1, max_length=300)] = "*"
    """Pattern of the metrics' names."""
    models: Annotated[list[ModelName], Meta(max_length=4)] = field(default_factory=list)
    """Parameter sets, new models of which score the rows again."""
    rules: Annotated[list[Annotated[str, Meta(max_length=100_000)]], Meta(max_length=10)] = field(
        default_factory=list
    )
    """Texts as they stand in alerts.toml; without any, the rules in use."""
    labels: Annotated[list[Window], Meta(max_length=100_000)] | None = None
    """What were anomalies; without it, the labels that are stored."""


@operations("POST", "/backtest", "read", status=202, audited=False)
def try_on_history(call: Call, body: WantedBacktest) -> JobAnswer:
    """Say what other models and rules would have told in a time that has passed, beside what was; nothing is stored or sent.

    The answer is a job, which tells how far it is and can be cancelled. Its result has an entry in `variants` for each model
    and rules, those without new models first.
    """
    until = call.site.clock() if body.until is None else body.until
    if body.since >= until:
        raise Problem(problems.BAD_REQUEST, "`since` is not before `until`.")
    context = call.site.context
    try:
        rules = _rules(body.rules, context.settings.alerts)
    except ExplainedError as error:
        raise Problem(problems.BAD_REQUEST, f"{error} {error.hint}") from error
    variants = backtest.variants_of(body.models, rules)
    labels = (
        None
        if body.labels is None
        else [Label(window.metric, window.first, window.last) for window in body.labels]
    )
    fits = name_patterns.glob(body.match)

    def work(job: Job) -> dict[str, Any]:
        def show(done: int, total: int) -> None:
            job.total = total
            job.show(done)

        outcomes = backtest.backtest(
            context.database, variants, body.since, until, fits=fits, labels=labels, show=show
        )
        return backtest.document(outcomes, body.since, until)

    return shown(call.site.jobs.start(Job("backtest", "Scoring"), work))


def _rules(texts: list[str], in_use: Path | None) -> dict[str, Rules]:
    """Return the rules to try, by what tells them apart. Raises ConfigError."""
    found: dict[str, Rules] = {}
    for number, text in enumerate(texts, start=1):
        name = f"rules {number}"
        parsed = rules_file.parse(text, Path(name))  # targets are not opened: nothing is sent
        rules_file.check(Path(name), parsed)
        found[name] = parsed.rules
    return found or {"": backtest.rules_in_use(in_use)}
