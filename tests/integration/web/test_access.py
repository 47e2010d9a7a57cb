import logging

import pytest

from htmengine.repository import tokens
from htmengine.web.access import NoTokenError, RateLimit, require_token
from htmengine.web.problems import Problem
from tests.integration.web.server import WebServer

ABROAD = "203.0.113.9"


@pytest.fixture
def public(context):
    """A server that other machines can reach."""
    server = WebServer(context, host="0.0.0.0", allowed_hosts=("metrics.example",))
    yield server
    server.site.close()


def token_of(server, *scopes):
    with server.context.database.write() as conn:
        return tokens.create(conn, "test", scopes, by="me", now=server.now)[1]


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


def test_this_machine_needs_no_token_where_only_it_can_connect(server):
    with server.client:
        session = server.get("/session")
    assert not session["token_needed"]
    assert session["scopes"] == ["read", "write", "teach", "admin"]


@pytest.mark.parametrize(
    ("headers", "peer"),
    [
        ({"X-Forwarded-For": ABROAD}, "127.0.0.1"),
        ({"Forwarded": f"for={ABROAD}"}, "127.0.0.1"),
        ({"Host": "metrics.example"}, "127.0.0.1"),
        ({}, ABROAD),
    ],
)
def test_who_comes_through_a_proxy_needs_one_all_the_same(context, headers, peer):
    server = WebServer(context, allowed_hosts=("metrics.example",))
    with server.client_at("http://localhost:2080", peer) as client:
        answer = client.get("/api/v1/metrics", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("form", ["Bearer {}", "Token {}", "bearer {}"])
def test_a_token_opens_what_its_scopes_allow(public, form):
    secret = token_of(public, "read")
    with public.client_at("http://metrics.example", ABROAD) as client:
        assert client.get("/api/v1/metrics").status_code == 401
        headers = {"Authorization": form.format(secret)}
        assert client.get("/api/v1/metrics", headers=headers).status_code == 200
        refused = client.post("/api/v1/metrics/monitor", headers=headers, json={"pattern": "*"})
        assert refused.status_code == 403
        assert "admin" in refused.json()["detail"]


def test_a_token_may_be_the_password_of_basic_authentication(public):
    secret = token_of(public, "read")
    with public.client_at("http://metrics.example", ABROAD) as client:
        assert client.get("/api/v1/metrics", auth=("root", secret)).status_code == 200
        assert client.get("/api/v1/metrics", auth=("root", "root")).status_code == 401


@pytest.mark.parametrize("shown", ["Bearer htm_wrong", "Bearer", "Basic !!!", "Basic /w==", "Negotiate abc"])
def test_a_token_that_nobody_has_opens_nothing(public, shown):
    with public.client_at("http://metrics.example", ABROAD) as client:
        assert client.get("/api/v1/metrics", headers={"Authorization": shown}).status_code == 401


def test_a_revoked_token_opens_nothing_any_more(public):
    secret = token_of(public, "read")
    with public.client_at("http://metrics.example", ABROAD) as client:
        assert client.get("/api/v1/metrics", headers=bearer(secret)).status_code == 200
        with public.context.database.write() as conn:
            (token,) = tokens.every_token(conn).values()
            assert tokens.revoke(conn, token.id)
        public.site.access.reload()
        assert client.get("/api/v1/metrics", headers=bearer(secret)).status_code == 401


def test_only_checksums_of_secrets_are_stored(public, tmp_path):
    secret = token_of(public, "read")
    with public.client_at("http://metrics.example", ABROAD) as client:
        client.post("/api/v1/session", json={"token": secret})
        cookie = client.cookies["htm"]
    public.context.database.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("repository.sqlite*"))
    assert tokens.digest_of(secret).encode() in stored
    assert secret.encode() not in stored
    assert cookie.encode() not in stored


def test_a_browser_logs_in_and_out(public):
    secret = token_of(public, "read")
    with public.client_at("http://metrics.example", ABROAD) as client:
        answer = client.post("/api/v1/session", json={"token": secret})
        assert answer.status_code == 204
        assert "HttpOnly" in answer.headers["set-cookie"]
        assert "samesite=lax" in answer.headers["set-cookie"].lower()
        assert client.get("/api/v1/session").json()["scopes"] == ["read"]
        assert client.get("/api/v1/metrics").status_code == 200
        assert client.delete("/api/v1/session").status_code == 204
        assert client.get("/api/v1/metrics").status_code == 401


def test_over_https_the_cookie_is_held_to_this_host(public):
    secret = token_of(public, "read")
    with public.client_at("https://metrics.example", ABROAD) as client:
        answer = client.post("/api/v1/session", json={"token": secret})
    assert answer.headers["set-cookie"].startswith("__Host-htm=")
    assert "Secure" in answer.headers["set-cookie"]


def test_a_session_ends_after_twelve_hours(public):
    secret = token_of(public, "read")
    with public.client_at("http://metrics.example", ABROAD) as client:
        client.post("/api/v1/session", json={"token": secret})
        cookie = {"Cookie": f"htm={client.cookies['htm']}"}
        public.now += 12 * 3600 - 1
        assert client.get("/api/v1/metrics", headers=cookie).status_code == 200
        public.now += 2
        assert client.get("/api/v1/metrics", headers=cookie).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 204),
        ({"Sec-Fetch-Site": "none"}, 204),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://localhost:2080"}, 204),
        ({"Origin": "http://localhost:9999"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 204),
    ],
)
def test_another_sites_page_changes_nothing(shared_server, headers, status):
    assert shared_server.client.delete("/api/v1/session", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1:2080", 200),
        ("[::1]:2080", 200),
        ("192.0.2.7:2080", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("", 421),
    ],
)
def test_only_known_hosts_are_served(shared_server, host, status):
    assert shared_server.client.get("/healthz", headers={"Host": host}).status_code == status


def test_other_machines_are_not_let_in_while_nobody_has_a_token(public):
    with pytest.raises(NoTokenError) as refusal:
        require_token(public.context.database, public.context.settings.http)
    assert "tokens create" in refusal.value.hint
    token_of(public, "read")
    require_token(public.context.database, public.context.settings.http)


def test_a_change_leaves_a_line_with_who_and_what_and_without_secrets(public, caplog):
    secret = token_of(public, "admin")
    with (
        caplog.at_level(logging.INFO, "htmengine.web.audit"),
        public.client_at("http://metrics.example", ABROAD) as client,
    ):
        client.post("/api/v1/session", json={"token": secret}, headers=bearer(secret))
    (line,) = [record.getMessage() for record in caplog.records if record.name == "htmengine.web.audit"]
    assert "who='test'" in line
    assert ABROAD in line
    assert "operation=log_in" in line
    assert secret not in caplog.text


def test_a_client_that_asks_too_often_is_told_how_long_to_wait(context):
    server = WebServer(context, requests_per_s=0.1)
    with server.client as client:
        answers = [client.get("/api/v1/session") for _ in range(3)]
    assert answers[0].status_code == 200
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_one_client_does_not_use_up_what_another_may_send():
    now = [0.0]
    limit = RateLimit(1.0, burst_s=2.0, timer=lambda: now[0])
    limit.check("a")
    limit.check("a")
    with pytest.raises(Problem):
        limit.check("a")
    limit.check("b")
    now[0] = 1.0
    limit.check("a")


def test_the_address_of_a_client_is_taken_from_proxies_of_ours_alone(context):
    server = WebServer(context, host="0.0.0.0", trusted_proxies=("10.0.0.1",))
    checked = []
    server.site.access._requests.check = checked.append
    for peer, forwarded in (
        ("10.0.0.1", f"198.51.100.1, {ABROAD}"),
        ("10.0.0.2", ABROAD),
        ("10.0.0.1", f"{ABROAD}, 10.0.0.1"),
    ):
        client = server.client_at("http://192.0.2.1", peer)
        client.get("/api/v1/session", headers={"X-Forwarded-For": forwarded})
    assert checked == [ABROAD, "10.0.0.2", ABROAD]


def test_every_answer_carries_the_headers_that_keep_browsers_safe(server):
    with server.client as client:
        for path in ("/healthz", "/api/v1/session", "/api/v1/nothing", "/nothing"):
            headers = client.get(path).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-request-id"]
        assert client.get("/api/v1/session").headers["cache-control"] == "no-store"
