"""Configuration files that the API reads and writes as text. Who writes one has seen what is replaced: the header If-Match says it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, NamedTuple, Protocol, TypeVar

from msgspec import Meta, Struct

from htmengine.errors import ConfigError
from htmengine.system import private
from htmengine.web import problems
from htmengine.web.operations import Call, entity_tag
from htmengine.web.problems import FieldError, Problem

T = TypeVar("T")

MAX_TEXT: Final = 1 << 20

Text = Annotated[str, Meta(max_length=MAX_TEXT)]

_writing: Final = threading.Lock()


class TextBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The new text of a file."""

    text: Text


class Found(NamedTuple):
    """A file as it stands."""

    text: str
    """Empty where there is no file."""
    fault: str | None
    """What is wrong with it, a line each."""


class HasText(Protocol):
    """An answer that has a file's text."""

    @property
    def text(self) -> str:
        """The text."""


def read(path: Path | None, check: Callable[[Path], object], *, without: Path | None = None) -> Found:
    """Return a file's text, and what is wrong with it.

    Parameters
    ----------
    check : raises ConfigError where it cannot be used.
    without : what is read while there is no file.
    """
    text, fault = "", None
    if path is None or not path.exists():
        path = without
    if path is not None and path.exists():
        try:
            text = path.read_bytes().decode("utf-8", errors="replace")
            check(path)
        except OSError as error:
            fault = f"{path}: cannot be read: {error.strerror or error}."
        except ConfigError as error:
            fault = str(error)
    return Found(text, fault)


def checked(text: str, path: Path, parse: Callable[[str, Path], T]) -> T:
    """Return what `parse` makes of a text. Raises Problem with every fault and its line where it raises ConfigError."""
    try:
        return parse(text, path)
    except ConfigError as error:
        errors = [FieldError("/text", line) for line in str(error).splitlines()]
        raise Problem(problems.BAD_REQUEST, f"{error} Nothing was changed.", errors=errors) from error


def write(
    call: Call, path: Path, text: str, check: Callable[[], object], *, without: Path | None = None
) -> None:
    """Replace a file's text, or make the file. Nothing is changed where the request has not seen what is replaced, or `check` raises Problem.

    Parameters
    ----------
    without : what `read` gives while there is no file.
    """
    wanted = [one.strip() for one in call.request.headers.get("if-match", "").split(",") if one.strip()]
    if not wanted:
        asked = call.request.url.path
        raise Problem(
            problems.BAD_REQUEST, f"Send the header If-Match with the ETag of what GET {asked} returned."
        )
    with _writing:
        if tag(read(path, bool, without=without)) not in wanted:
            raise Problem(
                problems.CHANGED, f"{path.name} is another one by now; read it again, and change that."
            )
        check()
        try:
            private.replace_text(path, text)
        except OSError as error:
            raise Problem(
                problems.CONFLICT, f"{path} cannot be written: {error.strerror or error}."
            ) from error


def tag(answer: HasText) -> str:
    """Return the ETag of an answer that has a file's text: it stays as long as the text does, whatever else the answer tells."""
    return entity_tag(answer.text.encode())
