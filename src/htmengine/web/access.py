"""Who may do what."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from starlette.requests import Request

from htmengine import config

if TYPE_CHECKING:
    from htmengine.web.operations import Operation

SCOPES: Final = ("read", "write", "teach", "admin")

log = logging.getLogger(__name__)


class Access:
    """Decides whether a request is answered."""

    def __init__(self, settings: config.Settings) -> None:
        self._settings = settings

    def scopes(self, request: Request) -> list[str]:
        """Return what a request may do."""
        return list(SCOPES)

    def token_needed(self, request: Request) -> bool:
        """Tell whether a request like this needs a token."""
        return False

    def require(self, request: Request, operation: Operation) -> None:
        """Raise Problem where a request may not do what it asks for."""

    def audit(self, request: Request, operation: Operation) -> None:
        """Write down that something was changed, by whom."""
        log.info("web.changed operation=%s %s", operation.method, request.url.path)
