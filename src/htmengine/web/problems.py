"""Errors of the API: problem details as RFC 9457 describes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, NamedTuple

import msgspec
from starlette.responses import Response

MEDIA_TYPE: Final = "application/problem+json"
DOCUMENT: Final = "docs/problems"
"""The page that lists the kinds, relative to the root of the site."""


class Kind(NamedTuple):
    """A kind of problem: what all its cases have in common."""

    code: str
    status: int
    title: str


BAD_REQUEST: Final = Kind("bad-request", 400, "The request is not as this operation expects it")
HOST_UNKNOWN: Final = Kind("host-unknown", 421, "The request names a host that this server does not serve")
TOKEN_NEEDED: Final = Kind("token-needed", 401, "A valid token is needed")
SCOPE_MISSING: Final = Kind("scope-missing", 403, "The token does not have the scope that this needs")
CROSS_ORIGIN: Final = Kind("cross-origin", 403, "Another site's page must not change anything here")
NOT_FOUND: Final = Kind("not-found", 404, "There is nothing at this address")
METRIC_NOT_FOUND: Final = Kind("metric-not-found", 404, "There is no such metric")
INCIDENT_NOT_FOUND: Final = Kind("incident-not-found", 404, "There is no such incident")
JOB_NOT_FOUND: Final = Kind("job-not-found", 404, "There is no such job")
METHOD_NOT_ALLOWED: Final = Kind("method-not-allowed", 405, "The address does not have this method")
CONFLICT: Final = Kind("conflict", 409, "The present state does not allow this")
CHANGED: Final = Kind("changed", 412, "What is to be changed was changed by someone else")
TOO_LARGE: Final = Kind("too-large", 413, "The request is too large")
BODY_TYPE: Final = Kind("body-type", 415, "The body is not of a type that this operation takes")
TOO_MANY_REQUESTS: Final = Kind("too-many-requests", 429, "This client sends too many requests")
INTERNAL: Final = Kind("internal-error", 500, "The server has a defect")
UNAVAILABLE: Final = Kind("unavailable", 503, "Something that is needed is unavailable for now")

KINDS: Final = tuple(value for value in list(globals().values()) if isinstance(value, Kind))
"""All of them."""

_BY_STATUS: Final = {kind.status: kind for kind in (METHOD_NOT_ALLOWED, TOO_LARGE, NOT_FOUND, BAD_REQUEST)}


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with a part of the request."""

    pointer: str
    """JSON pointer into the body, or the name of a parameter behind `?`."""
    detail: str


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of an error."""

    type: str
    """Address of the description of this kind of problem."""
    title: str
    status: Annotated[int, msgspec.Meta(ge=400, le=599)]
    detail: str = ""
    """What is wrong in this case, and what to do next."""
    instance: str = ""
    """Identifier of the request; the log has it, too."""
    errors: list[FieldError] = []


class Problem(Exception):
    """A request cannot be answered as it stands."""

    def __init__(
        self,
        kind: Kind,
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`detail` says what is wrong in this case, and what to do next."""
        super().__init__(f"{kind.title}. {detail}")
        self.kind = kind
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})

    @classmethod
    def of_status(cls, status: int, detail: str = "", headers: Mapping[str, str] | None = None) -> Problem:
        """Return the problem of a bare status."""
        return cls(_BY_STATUS.get(status, BAD_REQUEST if status < 500 else INTERNAL), detail, headers=headers)

    def response(self, request_id: str) -> Response:
        """Return the answer to a request."""
        details = ProblemDetails(
            type=f"/{DOCUMENT}#{self.kind.code}",
            title=self.kind.title,
            status=self.kind.status,
            detail=self.detail,
            instance=request_id,
            errors=self.errors,
        )
        return Response(
            msgspec.json.encode(details),
            status_code=self.kind.status,
            media_type=MEDIA_TYPE,
            headers={"Cache-Control": "no-store", **self.headers},
        )


def unknown_metric(uid: str) -> Problem:
    """Return the problem of a uid that no metric has."""
    return Problem(METRIC_NOT_FOUND, f"No metric has the uid {uid}; GET /api/v1/metrics lists them.")
