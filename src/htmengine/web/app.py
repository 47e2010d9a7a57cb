"""The application: pages of the site, operations of the API, and what stands around them."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from htmengine.bus import BusError
from htmengine.errors import DependencyUnavailable, ExplainedError, MisuseError
from htmengine.exceptions import ObjectNotFoundError
from htmengine.service.context import Context
from htmengine.web import api, doors, graphite, openapi, problems, prometheus
from htmengine.web.access import Access
from htmengine.web.headers import LOOPBACK, HostCheck, SecurityHeaders
from htmengine.web.operations import PREFIX, routes
from htmengine.web.problems import KINDS, Problem
from htmengine.web.site import Site
from htmengine.web.static import Page

if TYPE_CHECKING:
    from htmengine.web.mcp.server import Mounted

MAX_BODY: Final = 16 << 20
GZIP_FROM: Final = 1000
"""Bytes; a shorter answer is sent as it is."""
PAGES: Final = (
    "/",
    "/m",
    "/m/{uid}",
    "/incidents",
    "/i/{id}",
    "/health",
    "/setup",
    "/setup/{part:path}",
    "/login",
)

log = logging.getLogger(__name__)


def create_app(context: Context, *, site: Site | None = None) -> Starlette:
    """Return the application that serves an installation."""
    site = site or Site(context, Access(context.settings.http, context.database), Page())

    mounted = _mcp(context, site)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await site.start()
        try:
            async with mounted.running() if mounted else nullcontext():
                yield
        finally:
            await run_in_threadpool(site.close)

    times = prometheus.RequestTimes()
    app = Starlette(
        routes=[*(mounted.routes() if mounted else ()), *_routes(site, times)],
        lifespan=lifespan,
        max_body_size=MAX_BODY,
        middleware=[
            Middleware(prometheus.HttpTimes, times),
            Middleware(SecurityHeaders),
            Middleware(HostCheck, allowed=allowed_hosts(context)),
            Middleware(GZipMiddleware, minimum_size=GZIP_FROM, compresslevel=1),
        ],
        exception_handlers=EXCEPTION_HANDLERS,
    )
    # A redirection would name the host that the server knows, which is not the one that users reach behind a proxy.
    app.router.redirect_slashes = False
    app.state.site = site
    return app


def _mcp(context: Context, site: Site) -> Mounted | None:
    """Return the tools for language models, if there are to be any; what they need takes long to import."""
    if not context.settings.mcp.enabled:
        return None
    from htmengine.web.mcp.server import Mounted

    public = context.settings.http.public_url
    return Mounted(site, f"{public}/" if public else f"http://127.0.0.1:{context.settings.http.port}/")


def allowed_hosts(context: Context) -> frozenset[str]:
    """Return the names that a request may ask for."""
    http = context.settings.http
    names = set(LOOPBACK) | {name.lower() for name in http.allowed_hosts}
    if http.public_url:
        names.add(urlsplit(http.public_url).hostname or "")
    if not http.is_local:
        names |= {http.host.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}
    return frozenset(names)


def _routes(site: Site, times: prometheus.RequestTimes) -> list[BaseRoute]:
    page = site.page

    @cache
    def document() -> bytes:
        return openapi.document(api.OPERATIONS)

    def healthz(request: Request) -> Response:
        return PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})

    async def readyz(request: Request) -> Response:
        await run_in_threadpool(_look, site.context)
        return PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})

    def openapi_document(request: Request) -> Response:
        return Response(document(), media_type="application/json", headers={"Cache-Control": "no-cache"})

    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/static/{hash}/{path:path}", page.file),
        Route("/favicon.ico", page.favicon),
        Route(f"/{problems.DOCUMENT}", problem_kinds),
        Route(f"{PREFIX}/openapi.json", openapi_document),
        *routes(site, api.OPERATIONS),
        *doors.routes(site),
        *prometheus.routes(site, times),
        *graphite.routes(site),
        *(Route(path, page.document) for path in PAGES),
    ]


def _look(context: Context) -> None:
    """Ask the repository and the bus whether they are there."""
    with context.database.read():
        pass
    context.bus.status([context.settings.listener.queue])


def problem_kinds(request: Request) -> Response:
    """Return what kinds of problems there are, for a person who follows the address in one."""
    lines = [
        f"{kind.code}  ({kind.status})  {kind.title}." for kind in sorted(KINDS, key=lambda one: one.code)
    ]
    return PlainTextResponse("\n".join(lines) + "\n")


def _problem(request: Request, error: Exception) -> Response:
    problem = _as_problem(request, error)
    if problem.kind is problems.NOT_FOUND and _is_for_people(request):
        answer: Response = request.app.state.site.page.document(request)
        answer.status_code = problem.kind.status
        return answer
    return problem.response(request.scope.get("htmengine.request_id", ""))


def _is_for_people(request: Request) -> bool:
    """Return whether a browser asks for a page."""
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    return "text/html" in request.headers.get("accept", "") and not path.startswith((PREFIX, "/static/"))


_DETAILS: Final = {
    404: f"GET {PREFIX}/openapi.json describes every address of the API.",
    405: "The header Allow names those that it has.",
}
"""By status, what to do where there is nothing to answer a request."""


def _as_problem(request: Request, error: Exception) -> Problem:
    match error:
        case Problem():
            return error
        case HTTPException():
            return Problem.of_status(error.status_code, _DETAILS.get(error.status_code, ""), error.headers)
        case ObjectNotFoundError():
            return Problem(problems.METRIC_NOT_FOUND, str(error))
        case DependencyUnavailable() | BusError():
            return Problem(
                problems.UNAVAILABLE, f"{error}. Ask again in a moment.", headers={"Retry-After": "5"}
            )
        case MisuseError():
            return Problem(problems.BAD_REQUEST, f"{error} {error.hint}")
        case ExplainedError():
            return Problem(problems.CONFLICT, f"{error} {error.hint}")
    log.error(
        "web.failed request=%s path=%s",
        request.scope.get("htmengine.request_id"),
        request.url.path,
        exc_info=error,
    )
    return Problem(problems.INTERNAL, "The server's log tells more, under this request's identifier.")


EXCEPTION_HANDLERS: Final[Mapping[Any, Any]] = dict.fromkeys(
    (Problem, HTTPException, ObjectNotFoundError, DependencyUnavailable, BusError, ExplainedError, Exception),
    _problem,
)
