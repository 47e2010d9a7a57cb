r"""Rules of what comes in, and of which metrics get a model by themselves: the file `monitor-rules.conf`.

Each section is a rule for the metrics that it fits. Samples go through the sections from the first to the last: some change
the name, which those behind go by; others say what its values are; the first that fits and has an action decides, and
what stands behind it is not looked at. A metric that no action fits is stored and not monitored.

    [limits]
    metrics = 100000         ; models by all rules together

    [old names]
    regex = app\.(.*)
    rename = web.\1          ; the new name; \1 is the first part in parentheses

    [pods]
    pattern = *;pod=*
    drop_tags = pod          ; or keep_tags

    [agents]
    internals = all          ; what known agents send about themselves: `internals`
    action = drop            ; not even stored

    [totals]
    pattern = *_total
    kind = counter           ; a running total: its growth per second is stored; or gauge, the values as they are

    [requests]
    pattern = requests.*
    interval = 1m            ; one row for each minute, of all samples in it
    aggregation = sum        ; mean by default; or max, min, last, count
    delay = 30s              ; so much later a sample may come than those of newer times

    [internal]
    pattern = *.internal.*   ; as in a shell; or regex = …, which must fit the whole name: `name_patterns`
    action = ignore          ; stored, and not monitored

    [load]
    regex = host\d+\.load
    action = monitor
    min = 0                  ; both or none
    max = 64
    model = nupic            ; instead of the engine's
    resource = hosts
    limit = 500              ; models by this rule
    silence = 10m            ; a metric that sends nothing for so long is silent; or off. Learned by default
"""

from __future__ import annotations

import configparser
import io
import logging
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeVar, get_args

from htmengine import foreign
from htmengine.config import ModelName
from htmengine.config.options import unreadable
from htmengine.doors.reasons import BadSample, Reason
from htmengine.errors import ConfigError
from htmengine.repository.metrics import CUSTOM, MetricState
from htmengine.repository.status import MetricStatus
from htmengine.runtime.metric_storer import internals, name_changes, name_patterns

T = TypeVar("T")

LIMITS: Final = "limits"
Action: TypeAlias = Literal["monitor", "ignore", "drop"]
ValueKind: TypeAlias = Literal["counter", "gauge"]
Aggregation: TypeAlias = Literal["mean", "sum", "max", "min", "last", "count"]
OFF: Final = "off"
MAX_RESOURCE: Final = 100
MAX_GATHERED_S: Final = 86_400
"""The longest interval, and the longest delay."""

_FITS: Final = ("pattern", "regex", "internals")
_NAMES: Final = ("rename", "keep_tags", "drop_tags")
_VALUES: Final = ("kind", "interval", "aggregation", "delay", "silence")
_MODEL: Final = ("min", "max", "model", "resource", "limit")
_OPTIONS: Final = (*_FITS, "action", *_NAMES, *_VALUES, *_MODEL)

_DURATION: Final = re.compile(r"([0-9]{1,9})\s*([smhd])")
_TIMES: Final = "a time, such as 90s, 10m, 2h or 1d"
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

log = logging.getLogger(__name__)


class Gathering(NamedTuple):
    """How samples wait before they become rows."""

    interval_s: int = 0
    """One row is made of the samples of so many seconds; 0: each sample is one."""
    aggregation: Aggregation = "mean"
    """How the row is made."""
    delay_s: int = 0
    """So much later a sample may come than those of newer times."""


class Rule(NamedTuple):
    """What to do with the metrics whose name fits."""

    name: str
    fits: name_patterns.Fits
    action: Action | None = None
    minimum: float | None = None
    maximum: float | None = None
    model: ModelName | None = None
    resource: str | None = None
    limit: int | None = None
    """Models by this rule at most."""
    text: str = ""
    """The pattern or the regular expression, as it is written."""
    silence_s: float | None = None
    """After so long without a sample a metric is silent, infinity for never; None where that is learned."""
    kind: ValueKind | None = None
    """What the values are; None where the door that they come through says it."""
    interval_s: int | None = None
    """One row is made of the samples of so many seconds."""
    aggregation: Aggregation | None = None
    """How; None for the mean."""
    delay_s: int | None = None
    """So much later a sample may come than those of newer times."""
    change: name_changes.Change | None = None
    """Gives the metric another name. Such a rule says nothing else."""
    line: int = 0
    """Of the file, where it begins."""

    @property
    def monitor(self) -> bool:
        """Whether it gives metrics a model."""
        return self.action == "monitor"

    def specification(self, uid: str) -> dict[str, Any]:
        """Return what `monitorMetric` takes for a metric that this rule monitors."""
        spec: dict[str, Any] = {"datasource": CUSTOM, "metricSpec": {"uid": uid}}
        if self.resource is not None:
            spec["metricSpec"]["resource"] = self.resource
        if self.minimum is not None:
            spec["modelParams"] = {"min": self.minimum, "max": self.maximum}
        return spec


class Step(NamedTuple):
    """A rule that fits a name on its way, and the name behind it."""

    rule: Rule
    name: str


class Way(NamedTuple):
    """What the rules make of a metric that is sent."""

    name: str
    """The name under which it is stored."""
    steps: tuple[Step, ...]
    """The rules that fit, in their order; the last one may be that which decides."""
    refusal: Reason | None = None
    """Why its samples are not stored."""

    @property
    def decides(self) -> Rule | None:
        """The rule whose action decides; None where none does."""
        return next((step.rule for step in self.steps if step.rule.action is not None), None)

    @property
    def kind(self) -> ValueKind | None:
        """What the values are; None where the door says it."""
        return next((step.rule.kind for step in self.steps if step.rule.kind), None)

    @property
    def gathering(self) -> Gathering | None:
        """How samples wait before they become rows; None where each is a row at once."""
        interval = next((step.rule for step in self.steps if step.rule.interval_s is not None), None)
        delay_s = next((step.rule.delay_s for step in self.steps if step.rule.delay_s is not None), None)
        if interval is None:
            return None if delay_s is None else Gathering(delay_s=delay_s)
        return Gathering(interval.interval_s or 0, interval.aggregation or "mean", delay_s or 0)

    @property
    def silence_s(self) -> float | None:
        """After how long the metric is silent, infinity for never; None where that is learned."""
        return next((step.rule.silence_s for step in self.steps if step.rule.silence_s is not None), None)


class Rules(NamedTuple):
    """A file of rules."""

    rules: tuple[Rule, ...] = ()
    limit: int | None = None
    """Models by all rules together at most."""

    @property
    def of_samples(self) -> bool:
        """Whether any rule changes what is stored of samples."""
        return self.gather or any(rule.change or rule.kind or rule.action == "drop" for rule in self.rules)

    @property
    def limits(self) -> list[int | None]:
        """How many models there may be, by rule and by all together; None where nothing is said."""
        return [self.limit, *(rule.limit for rule in self.rules)]

    @property
    def gather(self) -> bool:
        """Whether samples of any metric wait before they become rows."""
        return any(rule.interval_s is not None or rule.delay_s is not None for rule in self.rules)

    def way(self, name: str) -> Way:
        """Return what becomes of the samples that are sent under a name."""
        return _way(name, self.rules)

    def way_of_stored(self, name: str) -> Way:
        """Return what the rules say of a metric by the name that it has: names are not changed again."""
        last = max((i for i, rule in enumerate(self.rules) if rule.change), default=-1)
        return _way(name, self.rules[last + 1 :])

    def first(self, name: str) -> Rule | None:
        """Return the rule that decides about a metric by the name that it has, None where none does."""
        return self.way_of_stored(name).decides


def _way(name: str, rules: Iterable[Rule]) -> Way:
    steps: list[Step] = []
    for rule in rules:
        if not rule.fits(name):
            continue
        if rule.change:
            try:
                name = rule.change(name)
            except BadSample as error:
                return Way(name, (*steps, Step(rule, name)), error.reason)
        steps.append(Step(rule, name))
        if rule.action is not None:
            return Way(name, tuple(steps), Reason.DROPPED if rule.action == "drop" else None)
    return Way(name, tuple(steps))


class RulesFile:
    """Rules of a file that is read again when it changes.

    Parameters
    ----------
    path : it need not be there yet; None for no rules.
    owner : the service, in the log.
    without : the file whose rules hold until there is one at `path`; None for no rules.
    """

    def __init__(self, path: Path | None, owner: str, *, without: Path | None = None) -> None:
        """Raises ConfigError for a file that cannot be used."""
        self._path = path
        self._owner = owner
        self._seen = self._changed_at()
        used = without if self._seen is None else path
        self.rules = load(used) if used else Rules()

    def has_changed(self) -> bool:
        """Read the file if it has changed, and tell whether it has; one with faults leaves the rules as they are."""
        seen = self._changed_at()
        if self._path is None or seen == self._seen:
            return False
        self._seen = seen
        try:
            self.rules = load(self._path)
        except ConfigError as error:
            log.error("%s.rules_not_used reason=%s: the old ones stay", self._owner, error)
            return False
        log.info("%s.rules_read rules=%d", self._owner, len(self.rules.rules))
        return True

    def _changed_at(self) -> int | None:
        try:
            return self._path.stat().st_mtime_ns if self._path else None
        except OSError:
            return None


class Limit(NamedTuple):
    """How many models there may be."""

    section: str
    """Of the rule, or that of all rules together."""
    models: int


class Quota:
    """The models that rules have made, against their limits."""

    def __init__(self, rules: Rules, known: Iterable[MetricState]) -> None:
        """`known`: all custom metrics. One that a person monitors counts where a rule fits it, too."""
        self._rules = rules
        self._counts: Counter[str] = Counter()
        self.without: list[MetricState] = []
        """Metrics that never had a model, whether a rule fits them or not."""
        for state in known:
            if state.status == MetricStatus.UNMONITORED:
                if state.generation == 0:
                    self.without.append(state)
            elif (rule := rules.first(state.name)) and rule.monitor:
                self.count(rule)

    def count(self, rule: Rule) -> None:
        """Count a model more."""
        self._counts[rule.name] += 1

    def give_back(self, rule: Rule) -> None:
        """Count a model less: one that was counted was not made."""
        self._counts[rule.name] -= 1

    def reached(self, rule: Rule) -> Limit | None:
        """Return the limit that keeps the rule from making another model."""
        for section, limit, count in (
            (rule.name, rule.limit, self._counts[rule.name]),
            (LIMITS, self._rules.limit, self._counts.total()),
        ):
            if limit is not None and count >= limit:
                return Limit(section, limit)
        return None

    def beyond(self) -> Counter[Limit]:
        """Return how many metrics have no model because of a limit."""
        fitting = (self._rules.first(state.name) for state in self.without)
        limits = (self.reached(rule) for rule in fitting if rule and rule.monitor)
        return Counter(limit for limit in limits if limit)


def load(path: Path) -> Rules:
    """Return the rules of a file.

    Raises
    ------
    ConfigError : the file cannot be read, or a rule cannot be used. The message lists every fault, with its line.
    """
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong([f"{path}: {unreadable(error)}"]) from error


def parse(text: str, source: str) -> Rules:
    """Return the rules of a text; `source` names it in messages. Raises ConfigError as `load` does."""
    parser = configparser.ConfigParser(
        interpolation=None,
        default_section="\n",  # no section has this name
        inline_comment_prefixes=(";",),
    )
    try:
        parser.read_string(text, source)
    except configparser.Error as error:
        raise _wrong([f"{source}: {unreadable(error)}"]) from error
    faults: list[str] = []
    lines = _lines(text)
    limit = None
    rules: list[Rule] = []
    for section in parser.sections():
        options = _Options(parser[section], source, lines[section], faults)
        if section == LIMITS:
            limit = options.get("metrics", _count)
            options.allow("metrics")
        elif rule := _rule(section, options):
            before = next((one for one in rules if not one.change and one.action != "drop"), None)
            if rule.change and before:
                options.fault(
                    f"changes names, and stands behind [{before.name}], which goes by names: put it before"
                )
            rules.append(rule)
    if faults:
        raise _wrong(faults)
    return Rules(tuple(rules), limit)


_COMMENT: Final = re.compile(r"(?:^|(?<=\s));")


def _lines(text: str) -> dict[str, dict[str, int]]:
    """Return the numbers of the lines of all options, by section; those of the sections themselves under no name."""
    found: dict[str, dict[str, int]] = {}
    section: dict[str, int] = {}
    for number, written in enumerate(io.StringIO(text), 1):  # as the parser divides it
        line = _COMMENT.split(written, maxsplit=1)[0]
        if header := configparser.ConfigParser.SECTCRE.match(line.strip()):
            section = found.setdefault(header["header"], {"": number})
        elif line[:1] not in " \t#;":
            section.setdefault(re.split("[=:]", line)[0].strip().lower(), number)
    return found


class _Options:
    """Options of a section, and what is wrong with them."""

    def __init__(
        self,
        section: configparser.SectionProxy,
        source: str,
        lines: dict[str, int],
        faults: list[str],
    ) -> None:
        self.section = section
        self.line = lines[""]
        self._source = source
        self._lines = lines
        self.faults = faults

    def fault(self, what: str, option: str = "") -> None:
        line = self._lines.get(option, self.line)
        self.faults.append(f"{self._source}: line {line}: [{self.section.name}] {what}")

    def get(self, option: str, convert: Callable[[str], T]) -> T | None:
        text = self.section.get(option)
        if text is None:
            return None
        try:
            return convert(text)
        except ValueError as error:
            self.fault(f'{option} = "{text}" {error}', option)
            return None

    def given(self, options: Iterable[str]) -> list[str]:
        return [option for option in options if option in self.section]

    def allow(self, *options: str) -> None:
        for option in self.section:
            if option not in options:
                self.fault(f"{option} is no option; known here: {', '.join(options)}", option)


def _rule(name: str, options: _Options) -> Rule | None:
    before = len(options.faults)
    options.allow(*_OPTIONS)
    given = options.given(_FITS)
    if len(given) != 1:
        options.fault(
            f"has both {' and '.join(given)}; one is needed"
            if given
            else f"has none of {', '.join(_FITS)}; one is needed"
        )
    fits = (
        options.get("pattern", name_patterns.glob)
        or options.get("regex", name_patterns.regex)
        or options.get("internals", lambda text: name_patterns.regex(internals.regex(text)))
    )
    action = options.get("action", _one_of(Action))
    change = _change(options)
    if "action" not in options.section and not options.given((*_NAMES, *_VALUES)):
        options.fault(f"has no action; it is {_either(Action)}")
    elif not options.given(_NAMES) and options.section.get("action") in (None, "ignore", "drop"):
        for option in options.given(_MODEL):
            options.fault(f"{option} is for rules with action = monitor", option)
    minimum, maximum = options.get("min", _number), options.get("max", _number)
    if ("min" in options.section) != ("max" in options.section):
        options.fault("has one of min and max; give both or none")
    elif minimum is not None and maximum is not None and maximum < minimum:
        options.fault(f"max = {maximum} is below min = {minimum}", "max")
    if "aggregation" in options.section and "interval" not in options.section:
        options.fault("aggregation needs an interval", "aggregation")
    rule = Rule(
        name,
        fits or bool,
        action,
        minimum,
        maximum,
        options.get("model", _one_of(ModelName)),
        options.get("resource", _resource),
        options.get("limit", _count),
        options.section.get(given[0], "") if given else "",
        options.get("silence", _silence),
        options.get("kind", _one_of(ValueKind)),
        options.get("interval", _seconds),
        options.get("aggregation", _one_of(Aggregation)),
        options.get("delay", _seconds),
        change,
        options.line,
    )
    return rule if len(options.faults) == before else None


def _change(options: _Options) -> name_changes.Change | None:
    """Return how a rule changes names, None where it does not."""
    changes = options.given(_NAMES)
    if not changes:
        return None
    others = options.given(("action", *_VALUES, *_MODEL))
    if len(changes) > 1 or others:
        options.fault(
            f"has {changes[0]}, and so nothing else but what it fits; a section of its own, behind this one, is for "
            f"{', '.join(changes[1:] + others)}"
        )
        return None
    if "rename" in changes:
        regex = options.section.get("regex")
        if regex is None:
            options.fault(
                "rename needs a regex: its parts in parentheses are what the new name keeps", "rename"
            )
            return None
        try:
            name_patterns.compiled(regex)
        except ValueError:
            return None  # told already
        return options.get("rename", lambda text: name_changes.renaming(regex, text))
    drop = "drop_tags" in changes
    return options.get(changes[0], lambda text: name_changes.keeping_tags(text, drop=drop))


def _either(choices: Any) -> str:
    *most, last = get_args(choices)
    return f"{', '.join(most)} or {last}"


def _one_of(choices: Any) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        if text not in get_args(choices):
            raise ValueError(f"is not {_either(choices)}")
        return text

    return convert


def _resource(text: str) -> str:
    if not 0 < len(text) <= MAX_RESOURCE:
        raise ValueError(f"has not 1 to {MAX_RESOURCE} characters")
    return text


def _silence(text: str) -> float:
    if text == OFF:
        return math.inf
    seconds = _duration(text)
    if not seconds:
        raise ValueError(f"is neither {_TIMES}, nor {OFF}")
    return float(seconds)


def _seconds(text: str) -> int:
    seconds = _duration(text)
    if not seconds:
        raise ValueError(f"is not {_TIMES}")
    if seconds > MAX_GATHERED_S:
        raise ValueError("is longer than a day")
    return seconds


def _duration(text: str) -> int:
    found = _DURATION.fullmatch(text)
    return int(found[1]) * _UNITS[found[2]] if found else 0


def _number(text: str) -> float:
    try:
        number = foreign.number(text)
    except ValueError:
        raise ValueError("is not a number") from None
    if not math.isfinite(number):
        raise ValueError("is not finite")
    return number


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal():
        raise ValueError("is not a whole number")
    return int(text)


def _wrong(faults: list[str]) -> ConfigError:
    return ConfigError("\n".join(faults), hint="Correct what is listed, and start the service again.")
