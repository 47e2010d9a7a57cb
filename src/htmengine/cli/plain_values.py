"""Values of a command line that need no library to be read.

typer has pydantic read every value, also those that are not given. To import it and to make a schema of each option takes a
sixth of the time that a command like `htmengine status` needs in all. How typer describes a parameter is not documented:
where another version does it otherwise, typer reads every value.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, get_args, get_origin

_NUMBERS: Final[dict[type, re.Pattern[str]]] = {
    int: re.compile("-?[0-9]{1,15}"),
    float: re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?"),
}
"""How numbers are mostly written."""


def read_here(parameter: Any) -> Any:
    """Return an option or argument of typer that reads what is plain itself, and has typer read all else."""
    known = hasattr(parameter, "type_descriptor") and hasattr(parameter, "process_value")
    if known and "process_value" not in vars(parameter):
        parameter.process_value = partial(_processed, parameter, parameter.process_value)
    return parameter


def _processed(parameter: Any, by_typer: Callable[[Any, Any], Any], ctx: Any, value: Any) -> Any:
    try:
        plain = _plain(parameter, value)
    except (ValueError, AttributeError):
        return by_typer(ctx, value)
    if parameter.required and plain in (None, ()):
        return by_typer(ctx, value)  # which says what is missing
    return plain if parameter.callback is None else parameter.callback(ctx, parameter, plain)


def _plain(parameter: Any, value: Any) -> Any:
    """Return what becomes of a value. Raises ValueError where it is not plain."""
    kind = parameter.type_descriptor.annotation
    is_list = parameter.multiple or parameter.nargs == -1
    if value is None:
        return () if is_list else None
    if not is_list:
        return _one(parameter, kind, value)
    if get_origin(kind) is not list or not isinstance(value, list | tuple):
        raise ValueError
    (of,) = get_args(kind)
    return [_one(parameter, of, each) for each in value]


def _one(parameter: Any, kind: Any, value: Any) -> Any:
    if kind is bool and isinstance(value, bool):
        return value
    said = parameter.type_descriptor.parameter_info
    if said.parser or type(value) not in (str, kind):
        raise ValueError
    if isinstance(value, str):
        value.encode()  # bytes that are no text are for typer to refuse
    if kind is str:
        return value
    if kind is Path and not (said.exists or said.writable or said.resolve_path or said.allow_dash):
        if said.file_okay and said.dir_okay and (os.access(value, os.R_OK) or not os.path.lexists(value)):
            return Path(value)
    elif kind in _NUMBERS and _NUMBERS[kind].fullmatch(str(value)):
        number = kind(value)
        if (said.min is None or number >= said.min) and (said.max is None or number <= said.max):
            return number
    raise ValueError
