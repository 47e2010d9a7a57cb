"""What is asked of servers, and what is made of their answers; the servers themselves are in the acceptance tests."""

import http.server
import json
import math
import threading
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import pytest

from htmengine.doors.samples import Kind
from htmengine.errors import ExplainedError, MisuseError
from htmengine.histories import connection
from htmengine.histories.connection import Connection, SourceUnavailable
from htmengine.histories.files import named
from htmengine.histories.graphite import Graphite
from htmengine.histories.prometheus import Prometheus, selector_of


class Server(http.server.ThreadingHTTPServer):
    """Answers what it is told to, one answer after the other: status and body."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                length = int(self.headers.get("Content-Length") or 0)
                query = self.rfile.read(length).decode() or urlsplit(self.path).query
                server.asked.append((urlsplit(self.path).path, parse_qs(query), self.headers))
                status, body = server.answers.pop(0)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

            do_POST = do_GET  # noqa: N815 - a name of the base class

            def log_message(self, *arguments):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def serving():
    servers = []

    def serve(*answers):
        servers.append(Server(*answers))
        return servers[-1]

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_server_that_has_too_much_to_do_is_asked_again(serving):
    server = serving((503, b"busy"), (429, b""), (200, {"a": 1}))
    pauses = []
    assert Connection(server.url, sleep=pauses.append).document("/x", {"q": "1"}) == {"a": 1}
    assert pauses == [connection.FIRST_PAUSE_S, 2 * connection.FIRST_PAUSE_S]


def test_a_server_that_never_answers_is_given_up_soon_with_its_reason():
    pauses = []
    away = Connection("http://127.0.0.1:1/base", sleep=pauses.append)
    with pytest.raises(
        SourceUnavailable, match=r"127\.0\.0\.1:1/base/x cannot be reached: Connection refused"
    ):
        away.document("/x", {})
    assert connection.FIRST_TRIES_S <= sum(pauses) <= 2 * connection.FIRST_TRIES_S


@pytest.mark.parametrize("answer", [(200, {}), (404, b"")], ids=["as asked", "an error"])
def test_a_server_that_has_answered_once_is_waited_for(serving, answer):
    server, pauses = serving(answer), []
    away = Connection(server.url, sleep=pauses.append)
    with suppress(SourceUnavailable):
        away.document("/x", {})
    server.shutdown()
    server.server_close()
    with pytest.raises(SourceUnavailable, match="Connection refused"):
        away.document("/x", {})
    assert connection.TRIES_S <= sum(pauses) <= 2 * connection.TRIES_S


@pytest.mark.parametrize(
    ("status", "body", "said", "hint"),
    [
        (400, {"status": "error", "error": "parse error: bad selector"}, "bad selector", "address"),
        (401, b"who\nare you", "who are you", "--token-file"),
        (404, b"<html>", "404", "address"),
        (200, b"<html>", "no JSON", "address"),
    ],
)
def test_what_a_server_complains_of_is_passed_on(serving, status, body, said, hint):
    server = serving((status, body))
    with pytest.raises(SourceUnavailable, match=said) as error:
        Connection(server.url).document("/api", {})
    assert hint in error.value.hint


def test_secrets_go_in_a_header_and_in_no_message(serving):
    server = serving((200, 1), (200, 2), (403, b"no"))
    Connection(server.url, token="s3cret").document("/", {})
    Connection(server.url, user="me", password="pw").document("/", {})
    with pytest.raises(SourceUnavailable) as error:
        Connection(server.url, token="s3cret").document("/", {})
    assert [headers["Authorization"] for _, _, headers in server.asked][:2] == [
        "Bearer s3cret",
        "Basic bWU6cHc=",
    ]
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize("url", ["prometheus:9090", "ftp://x", "http://", "http://me:pw@host", ""])
def test_what_is_no_address_is_said_so(url):
    with pytest.raises(MisuseError) as error:
        Connection(url)
    assert "pw" not in str(error.value)


def test_a_long_query_is_sent_as_a_form(serving):
    server = serving((200, []))
    Connection(server.url).document("/api", {"q": "x" * 10_000})
    assert server.asked[0][:2] == ("/api", {"q": ["x" * 10_000]})


def test_series_of_prometheus_have_the_names_and_kinds_of_remote_write(serving):
    answer = [
        {"__name__": "hits_total", "job": "a b", "pod": "1"},
        {"__name__": "level", "__tenant__": "x"},
        {"__name__": "wait_bucket", "le": "1"},
        {"__name__": "x" * 300},
    ]
    server = serving((200, {"data": answer}))
    source = Prometheus(Connection(server.url), ["{a='b'}", "c"], drop_labels=["pod"])
    assert [(origin.name, origin.kind) for origin in source.series(5.0, 9.5)] == [
        ("hits_total;job=a_b", Kind.COUNTER),
        ("level", Kind.GAUGE),
    ]
    assert server.asked[0][1] == {"match[]": ["{a='b'}", "c"], "start": ["5.0"], "end": ["9.5"]}


def test_a_selector_finds_exactly_one_series():
    labels = {"__name__": "a", "b": 'x"\\\ny', "c.d": "é"}
    assert selector_of(labels) == '{__name__="a",b="x\\"\\\\\\ny","c.d"="é"}'


def test_values_of_prometheus_that_are_no_numbers_are_none(serving):
    result = [{"values": [[1, "2.5"], [2, "NaN"], [3, "+Inf"]]}]
    server = serving((200, {"data": [{"__name__": "a"}]}), (200, {"data": {"result": result}}))
    source = Prometheus(Connection(server.url))
    (origin,) = source.series(0.0, 10.0)
    (points,) = source.points(origin, 0.0, 10.0)
    assert points.timestamps == [1.0, 2.0, 3.0]
    assert (points.values[0], [math.isnan(value) for value in points.values[1:]]) == (2.5, [True, True])
    assert server.asked[1][1] == {"query": ['{__name__="a"}[10001ms]'], "time": ["10.0"]}


def test_graphite_is_asked_by_pattern_and_series_by_series(serving):
    server = serving(
        (200, {"results": ["a.b", "a.c;dc=x"]}),
        (200, [{"target": "a.b", "datapoints": [[1.5, 60], [None, 120], [2, 180]]}]),
    )
    source = Graphite(Connection(server.url), ["a.*"])
    first, second = source.series(0.0, 200.0)
    assert (first.name, second.name) == ("a.b", "a.c;dc=x")
    (points,) = source.points(first, 60.0, 200.0)
    assert points.timestamps == [60.0, 120.0, 180.0]
    assert math.isnan(points.values[1])
    assert server.asked[1][1] == {"target": ["a.b"], "from": ["59"], "until": ["200"], "format": ["json"]}


@pytest.mark.parametrize("document", [{}, {"data": 1}, [], "x", [{"target": "a"}]])
def test_the_document_of_another_server_is_an_error(serving, document):
    prometheus, graphite = serving((200, document)), serving((200, document))
    with pytest.raises(ExplainedError, match="Prometheus"):
        list(Prometheus(Connection(prometheus.url)).series(0.0, 1.0))
    with pytest.raises(ExplainedError, match="Graphite"):
        list(Graphite(Connection(graphite.url), ["a"]).series(0.0, 1.0))


def test_files_of_folders_are_named_by_their_place(tmp_path):
    for path in ("web/one.csv.gz", "web/in.2024.csv", "two.parquet", ".hidden/x.csv", "web/.y.csv"):
        (tmp_path / path).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / path).touch()
    assert [stem for _, stem in named([str(tmp_path), str(tmp_path / "two.parquet")])] == [
        "two",
        "web.in.2024",
        "web.one",
        "two",
    ]


def test_files_that_are_not_there_are_said_so(tmp_path):
    for missing in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(MisuseError):
            named([str(missing)])
