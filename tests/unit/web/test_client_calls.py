"""The Python client can do whatever the API can."""

import inspect
import re
from types import SimpleNamespace

import pytest

from htmengine import client
from htmengine.client import Client
from htmengine.web.api import OPERATIONS

NOT_CALLED = {
    ("POST", "/session"): "a browser logs in; a program sends its token with each request",
    ("DELETE", "/session"): "likewise",
}
ARGUMENTS = {
    "uids": ["u"],
    "samples": [("a", None, 1.0)],
    "change": lambda found: {"text": ""} if hasattr(found, "rules") else "",
    "history": b"",
    "file": b"",
    "exported": {},
    "since": 1.0,
    "until": 2.0,
    "scopes": ["read"],
    "delivery": 1,
}
ANSWERS = {
    "/rules": b'{"text": "", "path": null, "fault": null}',
    "/monitor-rules": b'{"rules": [], "default": null, "path": null, "editable": true, "text": "", "fault": null}',
}


class Asked(Exception):
    """A request was made."""


class Recording(Client):
    """Notes what would be asked."""

    def __init__(self):
        super().__init__()
        self.requests = set()

    def _ask(self, method, path, *args, **kwargs):
        self.requests.add((method, path))
        if method == "GET" and path in ANSWERS:
            return SimpleNamespace(headers={"ETag": '"1"'}), ANSWERS[path]
        raise Asked

    def _events(self, parameters, cursor):
        self.requests.add(("GET", "/stream"))
        raise Asked


def calls():
    """Return what every public method of the client asks."""
    recording = Recording()
    methods = inspect.getmembers(Client, inspect.isfunction)
    for name, method in methods:
        if name.startswith("_") or name == "close":
            continue
        parameters = [
            one
            for one in inspect.signature(method).parameters.values()
            if one.name != "self" and one.default is one.empty and one.kind is not one.VAR_KEYWORD
        ]
        given = {one.name: ARGUMENTS.get(one.name, "x") for one in parameters}
        try:
            answer = getattr(recording, name)(**given)
            if inspect.isgenerator(answer):
                next(answer)
        except Asked:
            pass
    return recording.requests


@pytest.fixture(scope="module")
def asked():
    return calls()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_every_operation_has_a_call(asked, operation):
    pattern = re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(operation.path)))
    literal = {one.path for one in OPERATIONS}
    found = [
        (method, path)
        for method, path in asked
        if method == operation.method
        and pattern.fullmatch(path)
        and (path == operation.path or path not in literal)
    ]
    assert bool(found) != ((operation.method, operation.path) in NOT_CALLED)


def test_the_client_asks_for_nothing_that_there_is_not(asked):
    paths = [
        (one.method, re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(one.path)))) for one in OPERATIONS
    ]
    paths.append(("POST", re.compile("/samples")))  # which the doors answer
    assert [one for one in asked if not any(one[0] == m and p.fullmatch(one[1]) for m, p in paths)] == []
    assert client.API == "/api/v1"
