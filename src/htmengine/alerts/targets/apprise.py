"""Everything else, by Apprise: more than a hundred services, each by an address of its form.

Apprise tells only that a message was not taken, and not whether it ever will be: it is tried again until it is given up. It
knows no threads and no keys, so that an incident and its end are two messages. It connects by itself: our limits for
addresses and proxies do not hold for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from htmengine import extras
from htmengine.alerts.notice import RESOLVED, Notice, body_lines
from htmengine.alerts.targets.api import TIMEOUT_S, Delivered, Outcome, Retry
from htmengine.alerts.targets.secrets import Secret, SecretUnavailable, hide
from htmengine.alerts.targets.settings import Settings
from htmengine.alerts.targets.texts import one_line

if TYPE_CHECKING:
    from apprise import Apprise as Services

KIND: Final = "apprise"
MAX_TITLE: Final = 200
MAX_LINE: Final = 1000
MAX_REASON: Final = 200
MAX_METRICS: Final = 5

_TYPES: Final = {"critical": "failure", "warning": "warning", "info": "info"}


class Apprise:
    """Sends a message for each notice.

    Parameters
    ----------
    url : as Apprise writes them.
    """

    kind = KIND
    repeat_s = None
    repeat_resolved_s = 0.0

    def __init__(self, name: str, url: Secret) -> None:
        self.name = name
        self._url = url

    def send(self, notice: Notice) -> Outcome:
        """Send its message."""
        try:
            url = self._url.reveal()
            services = opened(url)
        except SecretUnavailable as error:
            return Retry(str(error))
        except ValueError as error:
            return Retry(f"{self._url.source} {error}")
        result = services.notify(
            title=one_line(notice.title, MAX_TITLE),
            body="\n".join(one_line(line, MAX_LINE) for line in body_lines(notice, metrics=MAX_METRICS)),
            notify_type="success" if notice.kind == RESOLVED else _TYPES[notice.severity],
            body_format="text",
            timeout=TIMEOUT_S,
        )
        if result:
            return Delivered()
        said = [entry.message for entry in result.logs() if entry.level in ("WARNING", "ERROR", "CRITICAL")]
        return Retry(one_line(hide(said[-1], [url]), MAX_REASON) if said else "Apprise does not say why")

    def describe(self) -> Mapping[str, str]:
        """Return its settings, without secrets."""
        return {"url": self._shown()}

    def close(self) -> None:
        """Nothing is held."""

    def __repr__(self) -> str:
        return f"Apprise({self.name}, {self._shown()})"

    def _shown(self) -> str:
        try:
            (service,) = opened(self._url.reveal())
        except (SecretUnavailable, ValueError):
            return self._url.source
        shown: str = service.url(privacy=True)  # type: ignore[no-untyped-call]
        return shown.partition("?")[0]


def opened(url: str) -> Services:
    """Return what sends to an address. Raises ValueError that says what is wrong, without it."""
    # It takes long to import, and most have no such target.
    import apprise

    service = apprise.Apprise.instantiate(url)
    if service is None:
        raise ValueError("is no address that Apprise knows; it lists them at https://appriseit.com")
    services = apprise.Apprise()
    services.add(service)
    return services


def read(settings: Settings) -> Apprise | None:
    """Return the target of a table; None where something in it is wrong."""
    try:
        extras.require("apprise", f"{settings.name}: a target of the kind {KIND}")
    except extras.PackageMissing as error:
        settings.table.fault("kind", f'= "{KIND}" cannot be used: {error} {error.hint.rstrip(".")}')
        for key in ("url", "url_file", "url_env"):
            settings.get(key, str)
        return None
    url = settings.secret("url", opened, required=True)
    return None if url is None else Apprise(settings.name, url)
