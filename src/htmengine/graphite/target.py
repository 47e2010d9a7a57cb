"""Targets as expressions: paths, calls of functions with their arguments, and pipes.

```
target     = expression { "|" call }
expression = call | path
call       = name "(" [ argument { "," argument } ] ")"
argument   = [ name "=" ] ( target | number | string | true | false | none | inf )
```

`a|f(x)` is `f(a, x)`. A path ends at a blank, comma, bracket, quote or pipe, except within `{…}` or behind a backslash.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

MAX_LENGTH: Final = 20_000
MAX_DEPTH: Final = 50
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z")
_NAME: Final = re.compile(r"[A-Za-z_]\w*\Z", re.ASCII)
_WORDS: Final[dict[str, bool | float | None]] = {
    "true": True,
    "false": False,
    "none": None,
    "inf": math.inf,
    "infinity": math.inf,
    "-inf": -math.inf,
}
_ENDS: Final = frozenset("(),|\"'")


class TargetError(ValueError):
    """A target cannot be understood or evaluated; the message says what of it, and where."""

    def __init__(self, message: str, at: int | None = None) -> None:
        """`at`: where in the target, from 0."""
        super().__init__(message if at is None else f"{message} (at character {at + 1})")
        self.message = message
        self.at = at


class Path(NamedTuple):
    """Metrics by a pattern of their names."""

    pattern: str
    at: int


class Literal(NamedTuple):
    """A number, a text, a truth value, or nothing."""

    value: str | float | bool | None
    at: int


class Call(NamedTuple):
    """A function with its arguments."""

    name: str
    args: tuple[Argument, ...]
    named: dict[str, Argument]
    at: int


Expression: TypeAlias = Path | Call
Argument: TypeAlias = Path | Call | Literal


def parse(text: str) -> Expression:
    """Return a target as an expression. Raises TargetError."""
    if len(text) > MAX_LENGTH:
        raise TargetError(f"the target is longer than {MAX_LENGTH} characters")
    parser = _Parser(text)
    found = parser.piped(0)
    parser.end()
    if isinstance(found, Literal):
        raise TargetError("the target is neither a path nor a function", found.at)
    return found


def calls(expression: Argument) -> Iterator[Call]:
    """Yield every call in an expression, the outer ones first."""
    if isinstance(expression, Call):
        yield expression
        for argument in (*expression.args, *expression.named.values()):
            yield from calls(argument)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def piped(self, depth: int) -> Argument:
        """Read an argument, and the calls that it is piped into."""
        found = self._plain(depth)
        while self._peek() == "|":
            bar = self._at
            self._at += 1
            call = self._plain(depth)
            if not isinstance(call, Call):
                raise TargetError("a function with its ( ) must follow |", bar)
            found = call._replace(args=(found, *call.args))
        return found

    def end(self) -> None:
        """Raise TargetError where something is left."""
        if self._peek():
            raise TargetError(f"unexpected {self._text[self._at]!r} behind the end of the target", self._at)

    def _peek(self) -> str:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1
        return self._text[self._at : self._at + 1]

    def _plain(self, depth: int) -> Argument:
        if depth > MAX_DEPTH:
            raise TargetError(f"functions stand within each other more than {MAX_DEPTH} deep", self._at)
        first = self._peek()
        at = self._at
        if not first:
            raise TargetError("the target ends where a path or a function is expected", at)
        if first in "\"'":
            return Literal(self._string(first), at)
        word = self._word()
        if not word:
            raise TargetError(f"unexpected {first!r} where a path or a function is expected", at)
        if self._text[self._at : self._at + 1] == "(":
            if not _NAME.match(word):
                raise TargetError(f"{word!r} is no name of a function", at)
            self._at += 1
            return self._call(word, at, depth)
        if _NUMBER.match(word):
            return Literal(float(word) if set(word) & set(".eE") else int(word), at)
        if word.lower() in _WORDS:
            return Literal(_WORDS[word.lower()], at)
        return Path(word, at)

    def _call(self, name: str, at: int, depth: int) -> Call:
        args: list[Argument] = []
        named: dict[str, Argument] = {}
        if self._peek() == ")":
            self._at += 1
            return Call(name, (), {}, at)
        while True:
            self._peek()
            start = self._at
            keyword = self._keyword()
            value = self.piped(depth + 1)
            if keyword:
                if keyword in named:
                    raise TargetError(f"{name}: {keyword} is given twice", start)
                named[keyword] = value
            elif named:
                raise TargetError(f"{name}: an argument without a name follows one with a name", start)
            else:
                args.append(value)
            sign = self._peek()
            if sign == ")":
                self._at += 1
                return Call(name, tuple(args), named, at)
            if sign != ",":
                raise TargetError(
                    f"{name}(: unexpected {sign!r} where , or ) is expected"
                    if sign
                    else f"{name}(: its ) is missing",
                    self._at,
                )
            self._at += 1

    def _keyword(self) -> str | None:
        """Read `name=` where it stands here."""
        found = re.compile(r"([A-Za-z_]\w*)\s*=(?!~)\s*", re.ASCII).match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        return found[1]

    def _string(self, quote: str) -> str:
        at = self._at
        end = self._text.find(quote, at + 1)
        # A backslash is kept: it belongs to a regular expression. Behind one a quote does not end the string.
        while end > 0 and (len(self._text[:end]) - len(self._text[:end].rstrip("\\"))) % 2:
            end = self._text.find(quote, end + 1)
        if end < 0:
            raise TargetError("the string has no closing quote", at)
        self._at = end + 1
        return self._text[at + 1 : end].replace(f"\\{quote}", quote)

    def _word(self) -> str:
        text, at = self._text, self._at
        written: list[str] = []
        depth = 0
        while at < len(text):
            sign = text[at]
            if sign == "\\" and at + 1 < len(text):
                written.append(text[at : at + 2] if text[at + 1] in "*?[]{}\\" else text[at + 1])
                at += 2
                continue
            if sign == "{":
                depth += 1
            elif sign == "}":
                depth -= 1
            elif sign.isspace() or (sign in _ENDS and not (depth > 0 and sign == ",")):
                break
            written.append(sign)
            at += 1
        if depth > 0:
            raise TargetError("a { has no }", self._at)
        self._at = at
        return "".join(written)
