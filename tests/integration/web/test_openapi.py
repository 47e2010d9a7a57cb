"""The API does what its own document says, whatever is sent to it."""

import json
import threading

import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis.errors import Unsatisfiable
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from htmengine import config
from htmengine.repository import tokens
from htmengine.service.context import opened
from htmengine.web.api import OPERATIONS
from htmengine.web.operations import PREFIX
from htmengine.web.server import listening, serve
from tests.integration.web.server import WebServer
from tests.support.examples import examples

EXAMPLES = 15
"""For each operation; a machine with time to spare finds more with more."""


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    """Where a server with some metrics listens, and the header that opens it."""
    with opened(config.embedded(tmp_path_factory.mktemp("installation"))) as context:
        server = WebServer(context, require_token=True)
        with context.database.write() as conn:
            _, secret = tokens.create(conn, "test", ["admin"], by="test", now=server.now)
        server.metric("web.cpu;dc=a", [5.0] * 300, log_scores=[0.1] * 299 + [0.9])
        server.metric("<img/src=x/onerror=alert(1)>", [5.0] * 3)
        server.metric("bare", [1.0, 2.0], monitored=False)
        serving = threading.Event()
        with listening("127.0.0.1", 0) as bound:
            arguments = (server.context, bound, serving.set)
            thread = threading.Thread(target=serve, args=arguments, daemon=True)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(
                    "htmengine.web.access.FAILURES_PER_S", 1e6
                )  # wrong tokens are a part of the test
                thread.start()
                assert serving.wait(60)
            yield f"http://127.0.0.1:{bound.getsockname()[1]}", {"Authorization": f"Bearer {secret}"}
            server.context.stop.set()
            thread.join()


@pytest.fixture(scope="module")
def schema(endpoint):
    return schemathesis.openapi.from_url(f"{endpoint[0]}/api/v1/openapi.json")


ENDLESS = {"/stream", "/results"}
ASKED = [(one.method, one.path) for one in OPERATIONS if one.path not in ENDLESS] + [("POST", "/samples")]


@pytest.mark.parametrize(
    "mode", [GenerationMode.POSITIVE, pytest.param(GenerationMode.NEGATIVE, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(("method", "path"), ASKED)
def test_whatever_is_asked_is_answered_as_the_document_says(endpoint, schema, method, path, mode):
    operation = schema[f"{PREFIX}{path}"][method]
    strategy = operation.as_strategy(generation_mode=mode)

    @examples(EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(case=strategy)
    def ask(case):
        # That a time must not end before it begins, or a cursor be one of ours, no schema says.
        case.call_and_validate(headers=endpoint[1], excluded_checks=[positive_data_acceptance])

    try:
        ask()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # nothing can be wrong with a request that has no parts


def test_every_schema_in_the_document_is_one(server):
    with server.client as client:
        document = client.get("/api/v1/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    for definition in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(definition)
    operations = [one for methods in document["paths"].values() for one in methods.values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    for one in operations:
        assert one["summary"].endswith("."), one["operationId"]
        assert "security" in one or one["operationId"] in ("session", "log_in", "log_out")
    json.dumps(document)
