"""Back-tests over HTTP; what they find is in the acceptance tests."""

import pytest

from tests.integration.web.test_jobs import finished

RULES = """
[targets.me]
kind = "terminal"

[[rules]]
name = "everything"
at_least = { rows = 1, metrics = 1 }
targets = "me"
"""


def test_a_back_test_is_a_job_with_an_entry_for_each_variant(server):
    server.metric("web.cpu", [float(i % 7) for i in range(40)])
    with server.client as client:
        body = {"since": 0, "match": "web.*", "models": ["default"], "rules": [RULES, RULES]}
        answer = client.post("/api/v1/backtest", json=body)
        assert answer.status_code == 202, answer.text
        job = finished(server, answer.json())
        assert job["state"] == "done", job
        found = server.get(f"/jobs/{job['id']}/result")["document"]
    assert [(one["variant"], one["metrics"], one["notices"]) for one in found["variants"]] == [
        ("as it was, rules 1", 1, 0),
        ("as it was, rules 2", 1, 0),
        ("default, rules 1", 1, 0),
        ("default, rules 2", 1, 0),
    ]


def test_targets_of_rules_that_are_tried_are_not_opened(server, tmp_path):
    rules = '[targets.me]\nkind = "script"\ncommand = ["/nowhere"]\n[[rules]]\nname = "x"\n'
    with server.client as client:
        assert client.post("/api/v1/backtest", json={"since": 0, "rules": [rules]}).status_code == 202


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"since": 20, "until": 10}, "not before"),
        ({"since": 0, "rules": ["[[rules]]\nname ="]}, "rules 1"),
        ({"since": 0, "models": ["gpt"]}, "models"),
    ],
)
def test_what_cannot_be_tried_is_said_at_once(server, body, said):
    with server.client as client:
        answer = client.post("/api/v1/backtest", json=body)
        assert answer.status_code == 400
        assert said in answer.text


def test_a_back_test_of_no_metric_fails_and_says_so(server):
    with server.client as client:
        job = finished(server, client.post("/api/v1/backtest", json={"since": 0}).json())
    assert (job["state"], "No monitored metric fits" in job["error"]) == ("failed", True)
