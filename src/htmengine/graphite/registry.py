"""The functions of targets: their parameters, as the query editor is told of them, and how calls are bound to them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, NamedTuple

from htmengine.graphite import times
from htmengine.graphite.context import Evaluation
from htmengine.graphite.series import Series
from htmengine.graphite.target import Argument, Call, Path, TargetError
from htmengine.graphite.target import Literal as LiteralArgument

Kind = Literal[
    "seriesList",
    "seriesLists",
    "float",
    "integer",
    "string",
    "boolean",
    "interval",
    "intOrInterval",
    "intOrInf",
    "nodeOrTag",
    "tag",
    "aggFunc",
    "floatOrSeries",
]


class Param(NamedTuple):
    """A parameter of a function."""

    name: str
    kind: Kind
    default: Any = inspect.Parameter.empty
    """Where it is not given; without one it must be."""
    multiple: bool = False
    """It may be given again and again, as the last."""
    options: tuple[str, ...] = ()
    suggestions: tuple[Any, ...] = ()

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is inspect.Parameter.empty


SERIES: Final = Param("seriesList", "seriesList")
SERIES_LISTS: Final = Param("seriesLists", "seriesLists", multiple=True)


class Function(NamedTuple):
    """A function."""

    name: str
    group: str
    params: tuple[Param, ...]
    description: str
    work: Callable[..., list[Series]]
    column: str | None
    """Of the metrics within it, which column is wanted; None for values."""
    deferred: bool
    """The work evaluates the series itself, in another time: it gets a function for them."""


class Registry:
    """Functions by their names."""

    def __init__(self) -> None:
        self.all: dict[str, Function] = {}

    def __call__(
        self,
        *names: str,
        group: str,
        params: Sequence[Param] = (SERIES,),
        column: str | None = None,
        deferred: bool = False,
    ) -> Callable[[Callable[..., list[Series]]], Callable[..., list[Series]]]:
        """Register a function under its names; its docstring describes it."""

        def register(work: Callable[..., list[Series]]) -> Callable[..., list[Series]]:
            description = inspect.cleandoc(work.__doc__ or "")
            for name in names:
                self.all[name] = Function(name, group, tuple(params), description, work, column, deferred)
            return work

        return register

    def get(self, name: str, at: int | None) -> Function:
        """Return a function. Raises TargetError, which lists those that there are."""
        found = self.all.get(name)
        if found is None:
            raise TargetError(f'unknown function "{name}"; known: {", ".join(sorted(self.all))}', at)
        return found


def bound(function: Function, call: Call, evaluation: Evaluation) -> list[Any]:
    """Return the arguments of a call for the function's work. Raises TargetError."""
    given: dict[str, list[Argument]] = {}
    params = list(function.params)
    for place, argument in enumerate(call.args):
        if place < len(params):
            given[params[place].name] = [argument]
        elif params and params[-1].multiple:
            given.setdefault(params[-1].name, []).append(argument)
        else:
            raise TargetError(
                f"{call.name}: takes {_counted(len(params))} and gets {len(call.args)}", call.at
            )
    known = {param.name: param for param in params}
    for name, argument in call.named.items():
        if name not in known:
            raise TargetError(
                f"{call.name}: has no argument {name}; it has {', '.join(known) or 'none'}", argument.at
            )
        if name in given:
            raise TargetError(f"{call.name}: {name} is given twice", argument.at)
        given[name] = [argument]
    found = []
    for param in params:
        arguments = given.get(param.name, [])
        if not arguments:
            if param.required and not param.multiple:
                raise TargetError(f"{call.name}: {param.name} is missing", call.at)
            if param.required:
                raise TargetError(f"{call.name}: at least one {param.name} is needed", call.at)
            found.append(() if param.multiple else param.default)
            continue
        converted = [_converted(function, param, argument, evaluation) for argument in arguments]
        if param.kind == "seriesLists":
            found.append([one for some in converted for one in some])
        else:
            found.append(tuple(converted) if param.multiple else converted[0])
    return found


def _counted(count: int) -> str:
    return "no arguments" if not count else f"{count} argument{'s' * (count > 1)}"


def _converted(function: Function, param: Param, argument: Argument, evaluation: Evaluation) -> Any:
    if param.kind in ("seriesList", "seriesLists"):
        if isinstance(argument, LiteralArgument):
            raise TargetError(
                f"{function.name}: {param.name} must be series, not {argument.value!r}", argument.at
            )
        if function.deferred:
            return lambda other: other.evaluate(argument)
        return evaluation.evaluate(argument)
    if param.kind == "floatOrSeries" and not isinstance(argument, LiteralArgument):
        return evaluation.evaluate(argument)
    value = argument.value if isinstance(argument, LiteralArgument) else None
    if isinstance(argument, Path) and param.kind in ("string", "nodeOrTag", "tag", "aggFunc", "interval"):
        value = argument.pattern  # a text without quotes
    is_none = isinstance(argument, LiteralArgument) and value is None
    if is_none and not param.required and param.kind in ("float", "floatOrSeries", "string"):
        return None
    try:
        return _CONVERTERS[param.kind](value)
    except (ValueError, TypeError) as error:
        reason = str(error) if isinstance(error, ValueError) else _MEANT[param.kind]
        raise TargetError(f"{function.name}: {param.name} {reason}", argument.at) from None


_MEANT: Final[dict[str, str]] = {
    "float": "must be a number",
    "floatOrSeries": "must be a number or series",
    "integer": "must be a whole number",
    "string": "must be a text in quotes",
    "boolean": "must be true or false",
    "interval": "must be an interval such as '5min'",
    "intOrInterval": "must be a number of points or an interval such as '5min'",
    "intOrInf": "must be a whole number or inf",
    "nodeOrTag": "must be the number of a part of the name, from 0, or a tag",
    "tag": "must be the name of a tag",
    "aggFunc": "must be the name of an aggregation, such as 'max'",
}


def _number(value: Any) -> float:
    if isinstance(value, bool) or value is None:
        raise TypeError
    try:
        number = float(value)
    except ValueError:
        raise TypeError from None
    if math.isnan(number):
        raise TypeError
    return value if isinstance(value, int) else number


def _integer(value: Any) -> int:
    number = _whole(value)
    if abs(number) > 2**53:
        raise ValueError(_MEANT["integer"])
    return number


def _whole(value: Any) -> int:
    try:
        number = _number(value)
        if number != int(number):
            raise ValueError
    except (ValueError, OverflowError, TypeError):
        raise ValueError(_MEANT["integer"]) from None
    return int(number)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _boolean(value: Any) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise TypeError
    return value


def _interval(value: Any) -> str:
    times.parse_interval(_text(value))
    return str(value)


def _points_or_interval(value: Any) -> int | str:
    if isinstance(value, str) and not value.strip().isdigit():
        return _interval(value)
    number = _integer(value)
    if number < 1:
        raise ValueError(_MEANT["intOrInterval"])
    return number


def _node(value: Any) -> int | str:
    if isinstance(value, bool) or value is None:
        raise TypeError
    if isinstance(value, str) and not value.lstrip("-").isdigit():
        return value
    return _integer(value)


_CONVERTERS: Final[dict[str, Callable[[Any], Any]]] = {
    "float": _number,
    "floatOrSeries": _number,
    "integer": _integer,
    "string": _text,
    "boolean": _boolean,
    "interval": _interval,
    "intOrInterval": _points_or_interval,
    "intOrInf": lambda value: math.inf if value == math.inf else _integer(value),
    "nodeOrTag": _node,
    "tag": lambda value: str(_node(value)),
    "aggFunc": _text,
}
