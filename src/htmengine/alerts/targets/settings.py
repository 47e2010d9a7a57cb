"""Settings of targets, read from their tables: every fault is noted with its line, and no secret is shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from htmengine.alerts.targets import secrets
from htmengine.alerts.targets.connections import ALLOW, refusal
from htmengine.alerts.targets.http import Receiver, basic, parse_url
from htmengine.alerts.targets.secrets import Secret, SecretUnavailable
from htmengine.alerts.targets.tls import Tls
from htmengine.alerts.toml_tables import Table, flag, text, texts

T = TypeVar("T")

_TLS_FILES: Final = ("ca_file", "certificate", "key")
_HEADER: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")


class Settings:
    """The table of a target.

    Parameters
    ----------
    folder : where files are that it names by relative paths: that of `alerts.toml`.
    environment : environment variables.
    """

    def __init__(self, name: str, table: Table, folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.table = table
        self.folder = folder.absolute()
        self.environment = environment

    def get(self, key: str, convert: Callable[[Any], T]) -> T | None:
        """Return a value; None where it is missing or wrong."""
        return self.table.get(key, convert)

    def required(self, key: str, convert: Callable[[Any], T], example: str) -> T | None:
        """Return a value that must be there; `example` is one, as it stands in the file."""
        if key not in self.table:
            self.table.fault(None, f"has no {key}; add for example {key} = {example}")
        return self.table.get(key, convert)

    def flag(self, key: str) -> bool:
        """Return whether something is switched on."""
        return self.table.get(key, flag) or False

    def path(self, key: str) -> Path | None:
        """Return the path of a file that can be read."""
        return self.table.get(key, lambda value: _readable(self.folder / text(value)))

    def secret(
        self,
        key: str,
        check: Callable[[str], object],
        *,
        required: bool = False,
        inline: bool = False,
        default: str = "",
    ) -> Secret | None:
        """Return a secret that `KEY_file` or `KEY_env` names.

        Parameters
        ----------
        check : raises ValueError that says what is wrong with it, without it.
        inline : it may stand in the file, as `KEY`, since it need not be secret.
        default : its value where it is not given.
        """
        given = [one for one in (key, f"{key}_file", f"{key}_env") if one in self.table]
        found = [self._inline(key, inline=inline), self._of_file(key), self._of_environment(key)]
        if len(given) > 1:
            self.table.fault(given[1], f"and {given[0]} are both given; leave one")
            return None
        if not given:
            if default:
                return secrets.constant(default, key)
            if required:
                alone = f'{key} = "…", ' if inline else ""
                self.table.fault(
                    None,
                    f'has no {key}; add {alone}{key}_file = "PATH" or {key}_env = "NAME" of what holds it',
                )
            return None
        secret = next((one for one in found if one is not None), None)
        if secret is None:
            return None
        try:
            check(secret.reveal())
        except SecretUnavailable as error:
            self.table.fault(given[0], f"cannot be used: {error}")
            return None
        except ValueError as error:
            what = str(error) if given[0] == key else f"cannot be used: {secret.source} {error}"
            self.table.fault(given[0], what)
            return None
        # A file may hold something else by the next time.
        return secret.checked(check)

    def _inline(self, key: str, *, inline: bool) -> Secret | None:
        # What is wrong with it is said without it.
        value = self.table.get(key, lambda value: value)
        if key not in self.table:
            return None
        if not inline:
            self.table.fault(
                key,
                f"is a secret, which this file is no place for; put it into a file, and name that: "
                f'{key}_file = "PATH"; or into the environment: {key}_env = "NAME"',
            )
            return None
        if not isinstance(value, str) or not value.strip():
            self.table.fault(key, "is no text; put it into quotes")
            return None
        return secrets.constant(value, key)

    def _of_file(self, key: str) -> Secret | None:
        path = self.table.get(f"{key}_file", text)
        return None if path is None else secrets.of_file(self.folder / path)

    def _of_environment(self, key: str) -> Secret | None:
        name = self.table.get(f"{key}_env", self._set)
        if name is None:
            return None
        return secrets.constant(self.environment[name], f"the environment variable {name}")

    def _set(self, value: Any) -> str:
        name = text(value)
        if name not in self.environment:
            raise ValueError("is no environment variable that is set")
        return name

    # -- Receivers over HTTP

    def receiver(
        self, *, inline: bool = True, default: str = "", authorization: bool = True
    ) -> Receiver | None:
        """Return where requests go.

        Parameters
        ----------
        inline : the address may stand in the file.
        default : it, where it is not given.
        authorization : there are settings for a user or a token.
        """
        url = self.secret("url", self._check_url, required=not default, inline=inline, default=default)
        found = self._receivers([] if url is None else [url], authorization=authorization)
        return found[0] if found else None

    def receivers(self) -> list[Receiver]:
        """Return where requests go; `url` may be a list."""
        if not isinstance(self.table.values.get("url"), list):
            found = self.receiver()
            return [] if found is None else [found]
        urls: tuple[str, ...] = ()
        try:
            urls = self._urls(self.table.get("url", lambda value: value))
        except ValueError as error:  # said without the addresses
            self.table.fault("url", str(error))
        return self._receivers([secrets.constant(url, "url") for url in urls], authorization=True)

    def _urls(self, value: Any) -> tuple[str, ...]:
        found = texts(value)
        for url in found:
            self._check_url(url)
        return found

    def _check_url(self, value: str) -> None:
        host = parse_url(value).host
        if self.table.values.get(ALLOW) is not True:
            refuse_address(host)

    def _receivers(self, urls: Sequence[Secret], *, authorization: bool) -> list[Receiver]:
        allowed = self.flag(ALLOW)
        tls = self.tls()
        proxy = self.secret("proxy", _check_proxy, inline=True)
        authorize = self._authorization() if authorization else None
        if tls is None:
            return []
        return [
            Receiver(url, tls=tls, authorization=authorize, proxy=proxy, allow_link_local=allowed)
            for url in urls
        ]

    def tls(self) -> Tls | None:
        """Return whom to trust, and how to show who we are; None for what is wrong."""
        files = [self.path(key) for key in _TLS_FILES]
        given = [key for key in _TLS_FILES if key in self.table]
        if "key" in given and "certificate" not in given:
            self.table.fault("key", "is given without certificate")
            return None
        found = Tls(*files)
        if given:
            try:
                found.context()
            except OSError as error:
                key, _, what = str(error).partition(" ")
                self.table.fault(key, what)
                return None
        return found

    def login(self, check: Callable[[str], object]) -> tuple[str, Secret] | None:
        """Return a user and the password; None for none, or where one is missing or wrong."""
        user = self.get("user", _user)
        password = self.secret("password", check)
        has_password = any(f"password{end}" in self.table for end in ("", "_file", "_env"))
        if "user" in self.table and not has_password:
            self.table.fault("user", 'is given without password_file = "PATH" or password_env = "NAME"')
        if has_password and "user" not in self.table:
            self.table.fault(None, "has a password and no user")
        return None if user is None or password is None else (user, password)

    def _authorization(self) -> Callable[[], str] | None:
        login = self.login(_check_header)
        token = self.secret("token", _check_header)
        if login is not None and token is not None:
            self.table.fault("user", "and a token are both given; leave one")
        if login is not None:
            user, password = login
            return lambda: basic(f"{user}:{password.reveal()}")
        if token is not None:
            return lambda: f"Bearer {token.reveal()}"
        return None


def refuse_address(host: str) -> None:
    """Raise ValueError for a host that is an address nothing is sent to."""
    try:
        reason = refusal(host)
    except ValueError:
        return  # a name
    if reason is not None:
        raise ValueError(f"leads to {reason}; {ALLOW} = true allows it")


def _check_proxy(value: str) -> None:
    if parse_url(value).scheme != "http":
        raise ValueError("is to be an http:// address; what passes through it to https:// is encrypted")


def _check_header(value: str) -> None:
    if not _HEADER.fullmatch(value):
        raise ValueError("has other characters than letters, digits and signs of ASCII")


def _user(value: Any) -> str:
    user = text(value)
    if not _HEADER.fullmatch(user) or ":" in user:
        raise ValueError("has other characters than letters, digits and signs of ASCII, or a colon")
    return user


def _readable(path: Path) -> Path:
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}: {path}") from None
