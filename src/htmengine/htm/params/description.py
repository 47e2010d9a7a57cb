"""Reading nested descriptions key by key, so that no key is overlooked and every fault is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Any, TypeVar

import msgspec

Part = TypeVar("Part", bound=msgspec.Struct)


class Section:
    """One object of a description. Keys are taken one by one; `finish` refuses what is left."""

    def __init__(self, path: str, content: Any) -> None:
        if not isinstance(content, Mapping):
            raise ValueError(f"{path} = {content!r} is not an object of keys and values")
        self.path = path
        self._content = content
        self._left = dict.fromkeys(content)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys."""
        return iter(self._content)

    def __contains__(self, key: object) -> bool:
        """Tell whether the section has this key."""
        return key in self._content

    def fault(self, key: str, found: Any, advice: str) -> ValueError:
        """Return an error that names the key and what was found."""
        return ValueError(f"{self.path}.{key} = {found!r} is not supported: {advice}")

    def take(self, key: str, default: Any, kind: type | UnionType) -> Any:
        """Return the value of a key, or the default where it is missing or null."""
        self._left.pop(key, None)
        found = self._content.get(key)
        if found is None:
            return default
        if not isinstance(found, kind):
            names = kind.__name__ if isinstance(kind, type) else str(kind)
            raise self.fault(key, found, f"it must be of type {names}")
        return found

    def expect(self, key: str, *allowed: Any, optional: bool = False) -> Any:
        """Return the value of a key that may have these values only; the first of them where it may be missing and is.

        True and False are not 1 and 0 here unless both are listed.
        """
        self._left.pop(key, None)
        if key not in self._content:
            if optional:
                return allowed[0]
            raise ValueError(f"{self.path}.{key} is missing; give {_listed(allowed)}")
        found = self._content[key]
        if not any(
            found == value and isinstance(found, bool) == isinstance(value, bool) for value in allowed
        ):
            raise self.fault(key, found, f"it must be {_listed(allowed)}")
        return found

    def drop(self, *keys: str) -> None:
        """Take keys that change nothing."""
        for key in keys:
            self._left.pop(key, None)

    def section(self, key: str, *, optional: bool = False) -> Section:
        """Return the object behind a key; an empty one where the key may be missing or null and is."""
        self._left.pop(key, None)
        if optional and self._content.get(key) is None:
            return Section(f"{self.path}.{key}", {})
        if key not in self._content:
            raise ValueError(f"{self.path}.{key} is missing")
        return Section(f"{self.path}.{key}", self._content[key])

    def build(
        self, part: type[Part], *, required: Mapping[str, str] | None = None, optional: Mapping[str, str]
    ) -> Part:
        """Return a part with parameters from keys, given as {parameter: key}; optional ones may be missing or null."""
        found = {}
        for name, key in (required or {}).items():
            found[name] = self.take(key, None, int | float)
            if found[name] is None:
                raise ValueError(f"{self.path}.{key} is missing")
        for name, key in optional.items():
            value = self.take(key, None, int | float)
            if value is not None:
                found[name] = value
        try:
            return msgspec.convert(found, part)
        except msgspec.ValidationError as error:
            raise ValueError(
                f"{self.path}: {_in_words(str(error), {**(required or {}), **optional})}"
            ) from error

    def width_and_radius(self, key: str, given: Any, radius: float) -> tuple[int, float]:
        """Return (active bits, radius) of a part of a date: given as both, or as the bits alone."""
        parts = list(given) if isinstance(given, list | tuple) else [given, radius]
        numbers = all(isinstance(part, int | float) and not isinstance(part, bool) for part in parts)
        if len(parts) != 2 or not numbers or int(parts[0]) != parts[0]:
            raise self.fault(key, given, "give a width in bits, or a width and a radius")
        return int(parts[0]), float(parts[1])

    def steps(self, key: str, *, default: tuple[int, ...]) -> tuple[int, ...]:
        """Return numbers of steps, ascending, each once: given as a number, a list, or text such as "1,5"."""
        found = self.take(key, default, int | str | list | tuple)
        if isinstance(found, str) and not set(found) <= set("0123456789, "):
            raise self.fault(key, found, "give one or more numbers of steps from 1")
        given = found.split(",") if isinstance(found, str) else [found] if isinstance(found, int) else found
        try:
            steps = sorted({int(step) for step in given})
        except (TypeError, ValueError, OverflowError):
            steps = []
        if not steps or steps[0] < 1:
            raise self.fault(key, found, "give one or more numbers of steps from 1")
        return tuple(steps)

    def finish(self) -> None:
        """Raise ValueError when a key was not taken."""
        for key in self._left:
            raise self.fault(key, self._content[key], "this key is unknown; remove it")


def _listed(values: tuple[Any, ...]) -> str:
    return " or ".join(repr(value) for value in dict.fromkeys(map(_frozen, values)))


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _in_words(message: str, keys: Mapping[str, str]) -> str:
    """Put NuPIC's names of keys in the place of ours in a message."""
    for name, key in keys.items():
        message = message.replace(f"`$.{name}`", f"`{key}`").replace(f"`{name}`", f"`{key}`")
    return message
