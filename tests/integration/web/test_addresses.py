"""Addresses: what is answered where there is nothing."""

import pytest


@pytest.mark.parametrize("path", ["/api/v1/metrics/", "/static/x", "/healthz/", "/metrics/"])
def test_no_address_is_redirected_since_a_proxy_may_have_another(server, path):
    with server.client:
        answer = server.client.get(path, follow_redirects=False)
    assert answer.status_code == 404
    assert answer.json()["type"] == "/docs/problems#not-found"


def test_a_program_is_led_to_the_description_of_the_api(server):
    with server.client:
        assert "/api/v1/openapi.json" in server.get("/nothing", status=404)["detail"]
        assert "Allow" in server.client.patch("/api/v1/metrics").json()["detail"]


@pytest.mark.parametrize(("path", "up"), [("/nowhere", ""), ("/incidents/", "../"), ("/a/b/c", "../../")])
def test_a_person_gets_the_page_that_says_so(server, path, up):
    with server.client:
        answer = server.client.get(path, headers={"Accept": "text/html,*/*;q=0.8"})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert f'href="{up}static/{server.site.page.hash}/' in answer.text


def test_what_is_missing_of_the_api_or_of_files_is_never_a_page(server):
    with server.client:
        for path in ("/api/v1/nothing", "/static/old/main.js"):
            answer = server.client.get(path, headers={"Accept": "text/html"})
            assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("path", "name", "value", "said"),
    [
        ("/metrics", "sort", "odd", "'odd' is none of oddness, name, last, lag, "),
        ("/metrics", "limit", "many", "'many' is no number"),
        ("/fleet", "from", "-1h", "'-1h' is no time: give seconds since the epoch, or one such as"),
        ("/fleet", "from", "2026-02-30T00:00:00Z", "'2026-02-30T00:00:00Z' is no time"),
        ("/fleet", "from", "2026-02-03T00:00:00", "'2026-02-03T00:00:00' is no time"),  # of which zone?
        ("/metrics", "limit", "0", "Expected `int` >= 1"),
    ],
)
def test_a_parameter_that_cannot_be_is_explained(shared_server, path, name, value, said):
    (error,) = shared_server.get(path, status=400, **{name: value})["errors"]
    assert error["pointer"] == f"?{name}"
    assert error["detail"].startswith(said)
