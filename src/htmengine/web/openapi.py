"""The OpenAPI document, made from the operations and their types."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Final

import msgspec

import htmengine
from htmengine.web import problems
from htmengine.web.operations import JSON, PREFIX, Operation
from htmengine.web.problems import ProblemDetails

REFERENCE: Final = "#/components/schemas/{name}"
COMMON_PROBLEMS: Final = (problems.BAD_REQUEST, problems.TOO_MANY_REQUESTS, problems.UNAVAILABLE)
PROTECTED: Final = (problems.TOKEN_NEEDED, problems.SCOPE_MISSING)


def document(operations: Sequence[Operation]) -> bytes:
    """Return the document as JSON."""
    names = _Schemas(operations)
    paths: dict[str, dict[str, Any]] = {PREFIX + "/samples": {"post": _SAMPLES}}
    for operation in operations:
        path = PREFIX + re.sub(r"\{(\w+):\w+\}", r"{\1}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _described(operation, names)
    return msgspec.json.format(
        msgspec.json.encode(
            {
                "openapi": "3.1.0",
                "info": {
                    "title": "htmengine",
                    "version": htmengine.__version__,
                    "description": "Metrics, their scores and alarms, incidents, and the engine's own health. Times are "
                    "seconds since the epoch, UTC.",
                    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
                },
                "servers": [{"url": "/", "description": "This server"}],
                "paths": paths,
                "components": {
                    "schemas": names.components,
                    "securitySchemes": {
                        "token": {"type": "http", "scheme": "bearer"},
                        "session": {"type": "apiKey", "in": "cookie", "name": "htm"},
                    },
                },
            }
        ),
        indent=1,
    )


_SAMPLE: Final[dict[str, Any]] = {
    "type": "object",
    "description": "A sample, or many of one metric: `times` and `values` in place of `time` and `value`",
    "properties": {
        "name": {"type": "string"},
        "tags": {"type": "object", "additionalProperties": {"type": "string"}},
        "time": {
            "type": ["number", "string"],
            "description": "Seconds since the epoch, or as RFC 3339 writes it; without it now",
        },
        "value": {"type": "number"},
        "times": {"type": "array", "items": {"type": ["number", "string"]}},
        "values": {"type": "array", "items": {"type": "number"}},
    },
    "required": ["name"],
}
_IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The ETag of what is replaced, as GET gave it",
    "schema": {"type": "string"},
}
_PROBLEM: Final = {
    "content": {problems.MEDIA_TYPE: {"schema": {"$ref": REFERENCE.format(name="ProblemDetails")}}}
}
_SAMPLES: Final[dict[str, Any]] = {  # which the doors answer, beside those of other products
    "operationId": "samples",
    "summary": "Take samples: one, an array of them, or one in each line.",
    "description": "Each is judged by itself. What is accepted survives a crash from here on. Needs the scope `write`.",
    "tags": ["samples"],
    "security": [{"token": []}, {"session": []}],
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"anyOf": [_SAMPLE, {"type": "array", "items": _SAMPLE}]}},
            "application/x-ndjson": {"schema": {"type": "string"}},
        },
    },
    "responses": {
        "200": {
            "description": "Done",
            "content": {
                JSON: {
                    "schema": {
                        "type": "object",
                        "properties": {
                            "accepted": {"type": "integer"},
                            "refused": {"type": "integer"},
                            "errors": {"type": "array", "items": {"type": "object"}},
                            "errors_left_out": {"type": "integer"},
                        },
                        "required": ["accepted", "refused", "errors", "errors_left_out"],
                    }
                }
            },
        },
        "400": {
            "description": "None of it can be used; `errors` says why",
            "content": {problems.MEDIA_TYPE: {"schema": {"type": "object", "required": ["title", "status"]}}},
        },
        **{
            str(kind.status): {"description": kind.title, **_PROBLEM}
            for kind in (
                problems.TOKEN_NEEDED,
                problems.SCOPE_MISSING,
                problems.TOO_LARGE,
                problems.BODY_TYPE,
                problems.TOO_MANY_REQUESTS,
                problems.UNAVAILABLE,
            )
        },
    },
}


class _Schemas:
    """JSON schemas of every type that operations take or give."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._types: list[Any] = [ProblemDetails]
        for operation in operations:
            hints = operation.hints
            self._types += operation.parameters.values()
            self._types += (field.type for field in _fields(hints.get("query")))
            self._types += [kind for kind in (_json_body(operation), *operation.answers) if kind]
        schemas, self.components = msgspec.json.schema_components(self._types, ref_template=REFERENCE)
        self._schemas = list(schemas)

    def of(self, hint: Any) -> dict[str, Any]:
        """Return the schema of a type."""
        return self._schemas[next(i for i, one in enumerate(self._types) if one is hint or one == hint)]


def _json_body(operation: Operation) -> Any:
    """Return the type of a body that is JSON."""
    hint = operation.hints.get("body")
    return None if hint is bytes else hint


def _fields(query: Any) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(query) if query else ()


def _described(operation: Operation, names: _Schemas) -> dict[str, Any]:
    summary, _, rest = inspect.getdoc(operation.handler).partition("\n\n")  # type: ignore[union-attr]
    described: dict[str, Any] = {
        "operationId": operation.handler.__name__,
        "summary": summary.replace("\n", " "),
        "tags": [operation.path.split("/")[1]],
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": names.of(hint)}
            for name, hint in operation.parameters.items()
        ]
        + _query(operation.hints.get("query"), names)
        + ([_IF_MATCH] if operation.changes and operation.tagged else []),
        "responses": _responses(operation, names),
    }
    if rest:
        described["description"] = rest.replace("\n", " ")
    if "body" in operation.hints:
        kind = _json_body(operation)
        described["requestBody"] = {
            "required": True,
            "content": {JSON: {"schema": names.of(kind)}}
            if kind
            else {media: {"schema": schema} for media, schema in operation.body_media.items()},
        }
    if operation.scope:
        described["security"] = [{"token": []}, {"session": []}]
        described["description"] = (
            described.get("description", "") + f" Needs the scope `{operation.scope}`."
        ).strip()
    return described


def _query(query: Any, names: _Schemas) -> list[dict[str, Any]]:
    notes = _attribute_notes(query) if query else {}
    parameters = []
    for field in _fields(query):
        parameter: dict[str, Any] = {
            "name": field.encode_name,
            "in": "query",
            "required": field.required,
            "schema": names.of(field.type),
        }
        if note := notes.get(field.name):
            parameter["description"] = note
        parameters.append(parameter)
    return parameters


def _attribute_notes(kind: type) -> dict[str, str]:
    """Return what stands below each field of a class, as Python's own documentation of attributes."""
    import ast
    import textwrap

    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0].body  # type: ignore[attr-defined]
    notes = {}
    for field, after in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match after:
                case ast.Expr(value=ast.Constant(value=str() as text)):
                    notes[field.target.id] = " ".join(text.split())
    return notes


def _responses(operation: Operation, names: _Schemas) -> dict[str, Any]:
    answers = [names.of(kind) for kind in operation.answers]
    content: dict[str, Any] = {media: {"schema": schema} for media, schema in operation.media.items()}
    if answers:
        content[JSON] = {"schema": answers[0] if len(answers) == 1 else {"anyOf": answers}}
    status = operation.status if content else 204
    responses: dict[str, Any] = {
        str(status): {"description": "Done", **({"content": content} if content else {})}
    }
    if operation.etag and not operation.changes:
        responses["304"] = {"description": "Unchanged since the answer with this ETag"}
    kinds = [*COMMON_PROBLEMS, *(PROTECTED if operation.scope else ()), *operation.problems]
    if operation.changes:
        kinds.append(problems.CROSS_ORIGIN)
    if "body" in operation.hints:
        kinds += [problems.TOO_LARGE, problems.BODY_TYPE]
    for kind in sorted(set(kinds), key=lambda one: one.status):
        text = responses.get(str(kind.status), {}).get("description")
        responses[str(kind.status)] = {
            "description": f"{text}; or: {kind.title}" if text else kind.title,
            **_PROBLEM,
        }
    return responses
