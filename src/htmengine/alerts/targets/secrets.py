"""Secrets of targets: kept in files or in the environment, and shown nowhere.

A file is read again for each try, so that a new secret is used as soon as it is there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 64 << 10
MIN_HIDDEN: Final = 8
"""Parts of a secret that are shorter are not looked for in what a receiver answers: they stand in many words."""
HIDDEN: Final = "***"


class SecretUnavailable(OSError):
    """A secret cannot be read now, or is none; the text says why, and not what it is."""


class Secret:
    """A text that only `reveal` returns.

    Parameters
    ----------
    read : returns it, or raises SecretUnavailable or OSError.
    source : says where it is kept: `the file /etc/…`.
    check : raises ValueError that says what is wrong with it, without it.
    """

    def __init__(
        self, read: Callable[[], str], source: str, check: Callable[[str], object] = lambda _found: None
    ) -> None:
        self._read = read
        self.source = source
        self._check = check

    def reveal(self) -> str:
        """Return it. Raises SecretUnavailable."""
        try:
            found = self._read().strip()
        except SecretUnavailable:
            raise
        except OSError as error:
            raise SecretUnavailable(f"{self.source} cannot be read: {error.strerror or error}") from None
        if not found:
            raise SecretUnavailable(f"{self.source} is empty")
        try:
            self._check(found)
        except ValueError as error:
            raise SecretUnavailable(f"{self.source} {error}") from None
        return found

    def checked(self, check: Callable[[str], object]) -> Secret:
        """Return the same, which is checked each time that it is read."""
        return Secret(self._read, self.source, check)

    def __repr__(self) -> str:
        return f"Secret({self.source})"


def of_file(path: Path) -> Secret:
    """Return the secret that a file holds."""

    def read() -> str:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise SecretUnavailable(f"the file {path} has more than {MAX_BYTES:,} bytes")
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise SecretUnavailable(f"the file {path} is no text in UTF-8") from None

    return Secret(read, f"the file {path}")


def constant(value: str, source: str) -> Secret:
    """Return one that does not change."""
    return Secret(lambda: value, source)


def hide(text: str, secrets: Iterable[str]) -> str:
    """Return a text without the secrets that it may hold, whole or in parts."""
    parts = {
        part
        for secret in secrets
        for part in (secret, *re.split(r"[\s/?&=:@#;,]+", secret))
        if len(part) >= MIN_HIDDEN
    }
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, HIDDEN)
    return text
