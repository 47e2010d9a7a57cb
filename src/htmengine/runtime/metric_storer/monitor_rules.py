r"""Rules that say which metrics get a model by themselves: the file `monitor-rules.conf`.

Each section is a rule; the first that fits a metric's name decides, and a metric that none fits is not monitored.

    [limits]
    metrics = 100000         ; models by all rules together

    [internal]
    pattern = *.internal.*   ; as in a shell; or regex = …, which must fit the whole name: `name_patterns`
    action = ignore

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
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar, get_args

from htmengine import foreign
from htmengine.config import ModelName
from htmengine.config.options import unreadable
from htmengine.errors import ConfigError
from htmengine.repository.metrics import CUSTOM, MetricState
from htmengine.repository.status import MetricStatus
from htmengine.runtime.metric_storer import name_patterns

T = TypeVar("T")

LIMITS: Final = "limits"
MONITOR: Final = "monitor"
IGNORE: Final = "ignore"
OFF: Final = "off"
MAX_RESOURCE: Final = 100

_OPTIONS: Final = ("pattern", "regex", "action", "min", "max", "model", "resource", "limit", "silence")

_DURATION: Final = re.compile(r"([0-9]{1,9})\s*([smhd])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Rule(NamedTuple):
    """What to do with the metrics whose name fits."""

    name: str
    fits: name_patterns.Fits
    monitor: bool
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

    def specification(self, uid: str) -> dict[str, Any]:
        """Return what `monitorMetric` takes for a metric that this rule monitors."""
        spec: dict[str, Any] = {"datasource": CUSTOM, "metricSpec": {"uid": uid}}
        if self.resource is not None:
            spec["metricSpec"]["resource"] = self.resource
        if self.minimum is not None:
            spec["modelParams"] = {"min": self.minimum, "max": self.maximum}
        return spec


class Rules(NamedTuple):
    """A file of rules."""

    rules: tuple[Rule, ...] = ()
    limit: int | None = None
    """Models by all rules together at most."""

    def first(self, name: str) -> Rule | None:
        """Return the rule that decides about a metric, None where none fits."""
        return next((rule for rule in self.rules if rule.fits(name)), None)


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
    ConfigError : the file cannot be read, or a rule cannot be used. The message lists every fault.
    """
    parser = configparser.ConfigParser(
        interpolation=None,
        default_section="\n",  # no section has this name
        inline_comment_prefixes=(";",),
    )
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise _wrong([f"{path}: {unreadable(error)}"]) from error
    faults: list[str] = []
    limit = None
    rules = []
    for section in parser.sections():
        options = _Options(parser[section], f"{path}: [{section}]", faults)
        if section == LIMITS:
            limit = options.get("metrics", _count)
            options.allow("metrics")
        else:
            rules.append(_rule(section, options))
    if faults:
        raise _wrong(faults)
    return Rules(tuple(rule for rule in rules if rule), limit)


class _Options:
    """Options of a section, and what is wrong with them."""

    def __init__(self, section: configparser.SectionProxy, where: str, faults: list[str]) -> None:
        self.section = section
        self.where = where
        self.faults = faults

    def fault(self, what: str) -> None:
        self.faults.append(f"{self.where} {what}")

    def get(self, option: str, convert: Callable[[str], T]) -> T | None:
        text = self.section.get(option)
        if text is None:
            return None
        try:
            return convert(text)
        except ValueError as error:
            self.fault(f'{option} = "{text}" {error}')
            return None

    def allow(self, *options: str) -> None:
        for option in self.section:
            if option not in options:
                self.fault(f"{option} is no option; known here: {', '.join(options)}")


def _rule(name: str, options: _Options) -> Rule | None:
    before = len(options.faults)
    options.allow(*_OPTIONS)
    given = [option for option in ("pattern", "regex") if option in options.section]
    if len(given) != 1:
        options.fault(
            "has both pattern and regex; one is needed" if given else "has neither pattern nor regex"
        )
    fits = options.get("pattern", name_patterns.glob) or options.get("regex", name_patterns.regex)
    if "action" not in options.section:
        options.fault(f"has no action; it is {MONITOR} or {IGNORE}")
    action = options.get("action", _action)
    minimum, maximum = options.get("min", _number), options.get("max", _number)
    if ("min" in options.section) != ("max" in options.section):
        options.fault("has one of min and max; give both or none")
    elif minimum is not None and maximum is not None and maximum < minimum:
        options.fault(f"max = {maximum} is below min = {minimum}")
    rule = Rule(
        name,
        fits or bool,
        action == MONITOR,
        minimum,
        maximum,
        options.get("model", _model),
        options.get("resource", _resource),
        options.get("limit", _count),
        options.section.get(given[0], "") if given else "",
        options.get("silence", _silence),
    )
    return rule if len(options.faults) == before else None


def _action(text: str) -> str:
    if text not in (MONITOR, IGNORE):
        raise ValueError(f"is neither {MONITOR} nor {IGNORE}")
    return text


def _model(text: str) -> ModelName:
    for name in get_args(ModelName):
        if text == name:
            found: ModelName = name
            return found
    raise ValueError(f"is none of {', '.join(get_args(ModelName))}")


def _resource(text: str) -> str:
    if not 0 < len(text) <= MAX_RESOURCE:
        raise ValueError(f"has not 1 to {MAX_RESOURCE} characters")
    return text


def _silence(text: str) -> float:
    if text == OFF:
        return math.inf
    found = _DURATION.fullmatch(text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not seconds:
        raise ValueError(f"is neither a time, such as 90s, 10m, 2h or 1d, nor {OFF}")
    return float(seconds)


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
