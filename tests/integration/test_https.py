"""The page and the API over HTTPS, by a certificate in a file."""

import ssl
import threading
import urllib.error
import urllib.request

import msgspec
import pytest

from htmengine import config
from htmengine.client import Client
from htmengine.repository import tokens
from htmengine.service.context import opened
from htmengine.web.server import HttpPortError, listening, serve
from tests import servers


@pytest.fixture
def certificate(tmp_path):
    return servers.make_certificate(tmp_path, "own", "DNS:localhost")


@pytest.fixture
def serving(tmp_path, certificate):
    """Return the address of a server that has the certificate, and its installation."""
    settings = config.embedded(tmp_path / "data")
    with listening("127.0.0.1", 0) as bound:
        http = msgspec.structs.replace(
            settings.http, port=bound.getsockname()[1], certificate=certificate[0], key=certificate[1]
        )
        ready = threading.Event()
        with opened(msgspec.structs.replace(settings, http=http)) as context:
            thread = threading.Thread(target=serve, args=(context, bound, ready.set), daemon=True)
            thread.start()
            assert ready.wait(60)
            yield f"https://localhost:{http.port}", context
            context.stop.set()
            thread.join()


def test_who_trusts_the_certificate_is_answered_and_nobody_else(serving, certificate, tmp_path):
    address, _ = serving
    trusting = ssl.create_default_context(cafile=certificate[0])
    with Client(address, context=trusting) as engine:
        assert engine.session().version
    other, _ = servers.make_certificate(tmp_path, "other", "DNS:localhost")
    for context in (ssl.create_default_context(), ssl.create_default_context(cafile=other)):
        with pytest.raises(ssl.SSLCertVerificationError), Client(address, context=context) as engine:
            engine.session()
    with pytest.raises((urllib.error.URLError, ConnectionError)):  # nothing is said without encryption
        urllib.request.urlopen(address.replace("https", "http"), timeout=30)


def test_the_cookie_of_a_session_never_leaves_encryption(serving, certificate):
    address, context = serving
    with context.database.write() as conn:
        _, secret = tokens.create(conn, "test", ["read"], by="test", now=0)
    request = urllib.request.Request(
        f"{address}/api/v1/session",
        data=msgspec.json.encode({"token": secret}),
        headers={"Content-Type": "application/json"},
    )
    trusting = ssl.create_default_context(cafile=certificate[0])
    with urllib.request.urlopen(request, context=trusting, timeout=30) as response:
        cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("__Host-htm=")
    assert {"Secure", "HttpOnly", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert secret not in cookie


def test_a_certificate_that_cannot_be_used_is_named(tmp_path, certificate):
    settings = config.embedded(tmp_path / "data")
    http = msgspec.structs.replace(settings.http, certificate=certificate[0], key=certificate[0])
    with (
        listening("127.0.0.1", 0) as bound,
        opened(msgspec.structs.replace(settings, http=http)) as context,
        pytest.raises(HttpPortError, match=r"own\.\w+"),
    ):
        serve(context, bound)
