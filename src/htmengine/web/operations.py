"""Operations of the API: each a function whose annotations say what it takes and what it returns.

An operation is called in a thread, since it may wait for the database, unless it is a coroutine. Its first argument is the `Call`; a parameter
`query` gets the query string, `body` the JSON body, each as a struct of the annotated type; every other parameter
is a part of the path. The OpenAPI document is made from the same annotations.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal
from urllib.parse import urlencode

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from htmengine import iso_times
from htmengine.web import problems
from htmengine.web.access import Principal, Scope
from htmengine.web.problems import FieldError, Kind, Problem
from htmengine.web.shapes import Time
from htmengine.web.site import Site

PREFIX: Final = "/api/v1"
Method = Literal["GET", "POST", "PUT", "DELETE"]
JSON: Final = "application/json"
MAX_PATH_PART: Final = 300
MAX_SHOWN: Final = 40
"""Characters of what was sent that an error repeats."""
_NO_NUMBER: Final = re.compile(r"Expected `(int|float)( \| null)?`, got `str`")


@dataclass(frozen=True)
class Call:
    """One request to an operation."""

    site: Site
    request: Request
    principal: Principal | None
    """Who asks; None where nobody knows, and the operation is for everyone."""


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: Method
    path: str
    """Below `/api/v1`; parts in braces are parameters."""
    scope: Scope | None
    """What a token must have; None: everyone may."""
    handler: Callable[..., Any]
    problems: tuple[Kind, ...] = ()
    """Kinds that it may answer with, beside those that every operation may."""
    status: int = 200
    media: Mapping[str, Any] = field(default_factory=dict)
    """Media types of answers that are not JSON, with their schemas."""
    body_media: Mapping[str, Any] = field(default_factory=dict)
    """Media types that a body of bytes may have, with their schemas; none for a body that is JSON of the annotated type."""
    audited: bool = True
    """Whether each call that changes something leaves a line in the log."""
    etag: bool = False
    """Whether an unchanged answer need not be sent again."""
    tagged: Callable[[Any], str] | None = None
    """Makes the ETag of an answer by which it may be changed; such an answer is always sent."""

    @cached_property
    def hints(self) -> dict[str, Any]:
        """The annotations of the handler."""
        return typing.get_type_hints(self.handler, include_extras=True)

    @property
    def answers(self) -> list[Any]:
        """Types of the answer as JSON; none where there is none."""
        hint = self.hints.get("return")
        kinds = typing.get_args(hint) or (hint,)
        return [kind for kind in kinds if kind not in (None, type(None)) and not _is_response(kind)]

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the path with their types."""
        return {
            name: hint for name, hint in self.hints.items() if name not in ("call", "query", "body", "return")
        }

    @property
    def changes(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET"


Handler = typing.TypeVar("Handler", bound=Callable[..., Any])


class Operations:
    """The operations of one module, in their order."""

    def __init__(self) -> None:
        self.all: list[Operation] = []

    def __call__(
        self, method: Method, path: str, scope: Scope | None, *kinds: Kind, **options: Any
    ) -> Callable[[Handler], Handler]:
        """Register a function as an operation."""

        def register(handler: Handler) -> Handler:
            self.all.append(Operation(method, path, scope, handler, tuple(kinds), **options))
            return handler

        return register


def routes(site: Site, operations: Sequence[Operation]) -> list[Route]:
    """Return the routes of operations: one for each path, so that a method that it does not have is told as such."""
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    return [
        Route(PREFIX + path, _endpoint(site, methods), methods=list(methods))
        for path, methods in by_path.items()
    ]


def _endpoint(site: Site, methods: Mapping[str, Operation]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        operation = methods["GET" if request.method == "HEAD" else request.method]
        principal = await run_in_threadpool(site.access.require, request, operation.scope)
        arguments = _arguments(operation, request)
        if "body" in operation.hints:
            arguments["body"] = await _body(operation, request)
        call = Call(site, request, principal)
        if inspect.iscoroutinefunction(operation.handler):
            answer = await operation.handler(call, **arguments)
        else:
            answer = await run_in_threadpool(operation.handler, call, **arguments)
        if operation.changes and operation.audited:
            site.access.audit(request, operation.handler.__name__, principal)
        return answer if isinstance(answer, Response) else _json(operation, request, answer)

    return endpoint


def _arguments(operation: Operation, request: Request) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    errors: list[FieldError] = []
    for name, hint in operation.parameters.items():
        try:
            arguments[name] = msgspec.convert(request.path_params[name], hint, strict=False)
        except msgspec.ValidationError as error:
            errors.append(FieldError(name, str(error)))
    if "query" in operation.hints:
        try:
            arguments["query"] = decode_query(operation.hints["query"], request)
        except msgspec.ValidationError as error:
            message, _, where = str(error).partition(" - at ")
            name = where.strip("`").removeprefix("$").removeprefix(".")
            errors.append(FieldError(f"?{name}", _in_words(message, operation.hints["query"], request, name)))
    elif request.query_params:
        errors.append(
            FieldError(f"?{next(iter(request.query_params))}", "This operation takes no parameters")
        )
    if errors:
        raise Problem(
            problems.BAD_REQUEST, "; ".join(f"{e.pointer}: {e.detail}" for e in errors), errors=errors
        )
    return arguments


def _in_words(message: str, kind: type[Any], request: Request, name: str) -> str:
    """Return what is wrong with a parameter as its user would say it, and what it may be."""
    text = request.query_params.get(name, "")[:MAX_SHOWN]
    if _NO_NUMBER.fullmatch(message):
        is_time = any(_is_time(one.type) for one in msgspec.structs.fields(kind) if one.encode_name == name)
        return f"{text!r} is no {_A_TIME if is_time else 'number'}"
    choices = [
        c for one in msgspec.structs.fields(kind) if one.encode_name == name for c in _choices(one.type)
    ]
    if choices and message.startswith("Invalid enum value"):
        return f"{text!r} is none of {', '.join(choices)}"
    return message


_A_TIME: Final = "time: give seconds since the epoch, or one such as 2026-11-29T12:00:00Z"
_RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+ -]\d\d:\d\d)", re.ASCII | re.IGNORECASE
)


def _choices(hint: Any) -> list[str]:
    """Return the texts that a parameter may have."""
    if typing.get_origin(hint) is typing.Literal:
        return [str(one) for one in typing.get_args(hint)]
    return [choice for part in typing.get_args(hint) for choice in _choices(part)]


def decode_query(kind: type[Any], request: Request) -> Any:
    """Return the query string as a struct. Raises msgspec.ValidationError."""
    fields = {one.encode_name: one for one in msgspec.structs.fields(kind)}
    given: dict[str, Any] = {}
    for name, text in request.query_params.multi_items():
        one = fields.get(name)
        if one is None:
            raise msgspec.ValidationError(f"Is not known; known are {', '.join(fields)} - at `$.{name}`")
        if _is_list(one.type):
            given.setdefault(name, []).append(text)
        elif name in given:
            raise msgspec.ValidationError(f"Is given twice - at `$.{name}`")
        else:
            given[name] = _seconds(text) if _is_time(one.type) else text
    return msgspec.convert(given, kind, strict=False)


def _is_time(hint: Any) -> bool:
    return hint == Time or any(map(_is_time, typing.get_args(hint)))


def _seconds(text: str) -> str:
    """Return a time as the number of seconds that it says, if it is one of RFC 3339."""
    if not _RFC_3339.fullmatch(text):
        return text
    try:
        # A plus sign that was not encoded arrives as a blank.
        return repr(iso_times.seconds(text.replace(" ", "+")))
    except ValueError:
        return text


def _is_response(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Response)


def _is_list(hint: Any) -> bool:
    while typing.get_origin(hint) is typing.Annotated:
        hint = typing.get_args(hint)[0]
    return typing.get_origin(hint) is list


async def _body(operation: Operation, request: Request) -> Any:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    known = operation.body_media or (JSON,)
    if media not in known:
        raise Problem(problems.BODY_TYPE, f"Send it with the header Content-Type: {' or '.join(known)}.")
    raw = await request.body()
    if operation.body_media:
        return raw
    try:
        return msgspec.json.decode(raw, type=operation.hints["body"])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        message, _, where = str(error).partition(" - at ")
        pointer = where.strip("`").removeprefix("$").replace(".", "/").replace("[", "/").replace("]", "")
        raise Problem(problems.BAD_REQUEST, str(error), errors=[FieldError(pointer, message)]) from error


def _json(operation: Operation, request: Request, answer: Any) -> Response:
    if answer is None:
        return Response(status_code=204)
    body = msgspec.json.encode(answer)
    headers = {"Cache-Control": "no-store"}
    if following := getattr(answer, "next", None):
        given = [pair for pair in request.query_params.multi_items() if pair[0] != "after"]
        headers["Link"] = f'<?{urlencode([*given, ("after", following)])}>; rel="next"'
    if operation.etag:
        tag = entity_tag(body)
        headers |= {"Cache-Control": "no-cache", "ETag": tag}
        if not operation.changes and tag in (
            one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")
        ):
            return Response(status_code=304, headers=headers)
    elif operation.tagged is not None:
        headers["ETag"] = operation.tagged(answer)
    return Response(body, status_code=operation.status, media_type=JSON, headers=headers)


def entity_tag(body: bytes) -> str:
    """Return the ETag of an answer."""
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
