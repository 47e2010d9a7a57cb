"""Small helpers of the documented Python API."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import msgspec


class Singleton:
    """A base class whose subclasses have one instance each."""

    _instance: Self | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Return the instance of this class."""
        if "_instance" not in cls.__dict__ or cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance


def createGuid() -> str:
    """Return a new identifier, 32 hexadecimal digits."""
    return uuid.uuid4().hex


def jsonEncode(obj: Any) -> str:
    """Return an object as indented JSON; times become text, and what can be iterated over becomes a list."""

    def encode(other: Any) -> Any:
        if isinstance(other, datetime):
            return str(other)
        if isinstance(other, Mapping):
            return dict(other)
        if isinstance(other, Iterable):
            return list(other)
        raise TypeError(f"a {type(other).__name__} cannot be written as JSON: {other!r}")

    return json.dumps(obj, indent=2, default=encode)


def jsonDecode(text: str | bytes) -> Any:
    """Return the object that JSON describes. Raises ValueError."""
    return json.loads(text)


def roundUpDatetime(dt: datetime, periodSec: float) -> datetime:
    """Return the first time at or after `dt` that is a whole number of periods after midnight."""
    midnight = dt.replace(hour=0, minute=0, second=0, microsecond=0)
    period = timedelta(seconds=periodSec)
    return midnight + -(-(dt - midnight) // period) * period


def msgpack_pack(obj: Any) -> bytes:
    """Return an object as MessagePack."""
    return msgspec.msgpack.encode(obj)


def msgpack_unpack(packed: bytes) -> Any:
    """Return the object that MessagePack describes. Raises ValueError."""
    return msgspec.msgpack.decode(packed)


def validate(obj: Any, schema: Mapping[str, Any] | str | Path) -> None:
    """Check an object against a JSON schema, given as such or as the path of its file.

    A schema that does not say which draft it is of is taken as one of the third, where each property says by itself
    that it is `required`.

    Raises
    ------
    ValueError : the object does not fit; the message says where and why.
    """
    from jsonschema import Draft3Validator, validators

    if not isinstance(schema, Mapping):
        schema = json.loads(Path(schema).read_text(encoding="utf-8"))
    checker = validators.validator_for(schema, default=Draft3Validator)(schema)
    error = next(iter(sorted(checker.iter_errors(obj), key=lambda error: list(map(str, error.path)))), None)
    if error is not None:
        raise ValueError(f"{error.json_path}: {error.message}")
