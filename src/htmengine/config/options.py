"""Options of an application's configuration files: read, converted, and every fault gathered."""

from __future__ import annotations

import configparser
import difflib
import os
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from htmengine import foreign
from htmengine.errors import ConfigError

T = TypeVar("T")
D = TypeVar("D")

OVERRIDES_FOLDER: Final = "overrides"
ENVIRONMENT_PREFIX: Final = "_NTA_UTILS_CONFIG__"
STRAY_PERCENT: Final = "a % refers to another option, as %(name)s; write %% for the sign itself"
"""What is wrong with a value that cannot be interpolated. The value is not shown: it may be a password."""


class OptionReader:
    """Reads options of the files in a configuration directory, and gathers what is wrong with them."""

    def __init__(self, directory: Path, faults: list[str] | None = None) -> None:
        """`faults`: those found elsewhere, to be reported together."""
        self.directory = directory
        self.faults: list[str] = [] if faults is None else faults
        self._files: dict[str, configparser.ConfigParser] = {}
        self._asked: dict[tuple[str, str], set[str]] = defaultdict(set)

    def section(self, file: str, name: str, *, required: bool = False) -> Section:
        """Return a section of a file; one that is not there has no options. A missing file is a fault if it is required."""
        if file not in self._files:
            self._files[file] = configparser.ConfigParser()
            found = self._read(file, self.directory / file)
            self._read(file, self.directory / OVERRIDES_FOLDER / file)
            if required and not found:
                self.fault(file, "there is no such file")
        return Section(self, file, self._files[file], name, self._asked[file, name])

    def refuse_others(
        self, file: str, section: str, beginning: str = "", elsewhere: Mapping[str, str] | None = None
    ) -> None:
        """Note the options of a section of the engine's own that nobody has asked for: their names are wrong.

        Parameters
        ----------
        beginning : of the names of the engine's own, in a section that applications share.
        elsewhere : how what is no option is set, by the name that one may look for.
        """
        parser, known = self._files[file], self._asked[file, section]
        for option in parser[section] if parser.has_section(section) else ():
            if not option.startswith(beginning):
                continue
            if option not in known and option not in parser.defaults():
                near = difflib.get_close_matches(option, known, n=1)
                meant = f"; do you mean {near[0]}?" if near else ""
                if elsewhere and option in elsewhere:
                    meant = f": {elsewhere[option]}"
                self.fault(file, f"[{section}] {option} is not known{meant}")

    def fault(self, file: str | Path, what: str) -> None:
        """Note what is wrong with a file."""
        self.faults.append(f"{self.directory / file}: {what}")

    def raise_faults(self) -> None:
        """Raise ConfigError with every fault, if there is one."""
        if self.faults:
            raise ConfigError(
                "\n".join(self.faults), hint="Correct what is listed, and start the service again."
            )

    def _read(self, file: str, path: Path) -> bool:
        try:
            with path.open(encoding="utf-8") as opened:
                self._files[file].read_file(opened)
        except FileNotFoundError:
            return False
        except (OSError, UnicodeDecodeError, configparser.Error) as error:
            self.fault(path.relative_to(self.directory), unreadable(error))
            if type(error) is not configparser.ParsingError:  # which is raised at the end, with the rest read
                self._files[file] = configparser.ConfigParser()
        return True


class Section:
    """A section of a configuration file."""

    def __init__(
        self, reader: OptionReader, file: str, parser: configparser.ConfigParser, name: str, asked: set[str]
    ) -> None:
        self._reader = reader
        self._file = file
        self._parser = parser
        self._name = name
        self._asked = asked

    @property
    def exists(self) -> bool:
        """Whether the file has it."""
        return self._parser.has_section(self._name)

    def get(self, option: str, convert: Callable[[str], T], default: D) -> T | D:
        """Return an option's value, or the default where it is not given.

        `convert` raises ValueError for a text that it does not take, saying what is wrong with it; that is noted as a
        fault, and the default taken.
        """
        self._asked.add(option)
        if not self._parser.has_option(self._name, option):
            return default
        try:
            text = os.environ.get(environment_name(self._file, self._name, option))
            if text is None:
                text = self._parser.get(self._name, option)
            return convert(text)
        except configparser.InterpolationError:
            self.fault(f"{option}: {STRAY_PERCENT}")
        except ValueError as error:
            self.fault(f'{option} = "{text}" {error}')
        return default

    def choice(self, option: str, choices: tuple[str, ...], default: str) -> Any:
        """Return an option's value that is one of several."""

        def convert(text: str) -> str:
            if text not in choices:
                raise ValueError(f"is none of {', '.join(choices)}")
            return text

        return self.get(option, convert, default)

    def fault(self, what: str) -> None:
        """Note what is wrong with the section."""
        self._reader.fault(self._file, f"[{self._name}] {what}")


def unreadable(error: Exception) -> str:
    """Say why a file cannot be read, without what is in it: a line may have a password."""
    if isinstance(error, configparser.MissingSectionHeaderError):
        return f"cannot be read: line {error.lineno}: there is no [section] before it"
    if isinstance(error, configparser.ParsingError):
        lines = ", ".join(str(number) for number, _ in error.errors)
        return f"cannot be read: line {lines}: neither [section] nor option = value"
    return f"cannot be read: {error}".replace("\n", " ")


def environment_name(file: str, section: str, option: str) -> str:
    """Return the environment variable that overrides an option."""
    names = "__".join((file.partition(".")[0], section, option))
    return ENVIRONMENT_PREFIX + names.upper().replace("-", "_")


def whole_number(text: str) -> int:
    """Return a whole number. Raises ValueError, as all of these do."""
    try:
        return foreign.whole_number(text)
    except ValueError:
        raise ValueError("is not a whole number") from None


def count(text: str) -> int:
    """Return a whole number from 0."""
    number = whole_number(text)
    if number < 0:
        raise ValueError("is a negative number")
    return number


def positive_count(text: str) -> int:
    """Return a whole number from 1."""
    number = whole_number(text)
    if number < 1:
        raise ValueError("is not a positive number")
    return number


def positive_number(text: str) -> float:
    """Return a number above 0."""
    try:
        number = foreign.number(text)
    except ValueError:
        raise ValueError("is not a number") from None
    if not number > 0:
        raise ValueError("is not a positive number")
    return number


def port(text: str) -> int:
    """Return the number of a TCP port."""
    number = whole_number(text)
    if not 0 < number < 65536:
        raise ValueError("is not a port, 1 to 65535")
    return number


def port_or_none(text: str) -> int:
    """Return the number of a TCP port, or 0 for none."""
    return 0 if whole_number(text) == 0 else port(text)


def names(text: str) -> tuple[str, ...]:
    """Return names that blanks or commas separate."""
    return tuple(text.replace(",", " ").split())


def web_address(text: str) -> str:
    """Return the address of a site, without a slash at its end."""
    if not text.startswith(("http://", "https://")) or not urlsplit(text).hostname:
        raise ValueError("is not an address such as https://metrics.example.com")
    return text.rstrip("/")


def metric_address(text: str) -> str:
    """Return the address of a metric on another site: a template that may name its placeholders."""
    known = ("metric", "from", "to")
    for name in re.findall(r"\{([^{}]*)\}", text):
        if name not in known:
            raise ValueError(f"has {{{name}}}; known are {', '.join(f'{{{one}}}' for one in known)}")
    return web_address(text)


def receiving_address(text: str) -> str:
    """Return the address that something is posted to. A password does not stand in it: it would be shown."""
    address = web_address(text)
    if urlsplit(address).username is not None:
        raise ValueError("has a user's name or a password in it: give a token in a file")
    return address


def host_and_port(text: str) -> tuple[str, int]:
    """Return a host and a TCP port."""
    host, colon, number = text.rpartition(":")
    if not (host and colon):
        raise ValueError("is no host and port, such as carbon.example.com:2003")
    return host.strip("[]"), port(number)


def boolean(text: str) -> bool:
    """Return true, yes, on, 1 or their opposites as a truth value."""
    try:
        return configparser.ConfigParser.BOOLEAN_STATES[text.lower()]
    except KeyError:
        raise ValueError("is neither true nor false") from None


def absolute_path(text: str) -> Path:
    """Return a path in which variables of the environment and ~ stand for what they mean."""
    path = Path(os.path.expandvars(text)).expanduser()
    if not path.is_absolute():
        raise ValueError("is not an absolute path")
    return path


def readable_file(text: str) -> Path:
    """Return the path, as `absolute_path` does, of a file that can be read."""
    path = absolute_path(text)
    if not (path.is_file() and os.access(path, os.R_OK)):
        raise ValueError("is not a file that can be read")
    return path
