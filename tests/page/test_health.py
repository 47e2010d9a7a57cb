"""Health: the path of a sample, what was refused or put aside, and what to do."""

import pytest
from playwright.sync_api import expect

from tests.page.fleet import NOW

pytestmark = pytest.mark.acceptance


def test_one_number_on_top_says_how_soon_a_sample_is_scored(site):
    page = site.open("/health")
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "✓A sample that arrives now is scored in 0.4 s; 99 of 100 within 1.2 s."
    )
    stages = page.get_by_role("list", name="The path of a sample").get_by_role("heading")
    expect(stages).to_have_text(
        ["Listener, well", "Storer, well", "Models, well", "Scores, well", "Incidents, well"]
    )


def test_a_stage_in_trouble_is_named_with_what_to_do(world, site):
    world.stage = {
        "id": "model_scheduler",
        "state": "trouble",
        "text": "no model_scheduler runs",
        "do": "Start it: htmengine up.",
    }
    page = site.open("/health")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Models: in trouble")
    expect(page.locator(".finding")).to_contain_text("Models: no model_scheduler runs")
    expect(page.locator(".finding")).to_contain_text("Start it: htmengine up.")


def test_refused_samples_are_shown_with_a_line_and_its_cure(site):
    page = site.open("/health")
    refusal = page.locator(".refusal").first
    expect(refusal).to_contain_text("412 × has a later sample already")
    expect(refusal).to_contain_text("web.api.requests 1204 1773321000")
    expect(refusal).to_contain_text("Send the samples of a metric in the order of their times.")


def test_one_sample_is_followed_to_its_score(site):
    page = site.open("/health")
    page.get_by_label("Metric", exact=True).fill("queue.orders.depth")
    page.get_by_label("Time").fill(str(NOW))
    page.get_by_role("button", name="Follow").click()
    steps = page.locator(".follow-steps li")
    expect(steps).to_have_count(5)
    expect(steps.nth(3)).to_contain_text("log score 0.71, an alarm")
    page.reload()
    expect(steps).to_have_count(5)


def test_a_sample_that_never_came_is_said_to_be_one(site):
    page = site.open(f"/health?metric=nonesuch&time={NOW}")
    expect(page.get_by_role("alert")).to_contain_text("No sample of nonesuch has ever arrived.")
    site.expected = "Failed to load resource"


def test_one_kind_of_trouble_is_shown_alone_by_its_address(site):
    page = site.open("/health?show=refused")
    expect(page.get_by_role("heading", name="Refused samples")).to_be_visible()
    expect(page.get_by_role("heading", name="Silent metrics")).to_have_count(0)
    page.get_by_role("button", name="Show everything").click()
    expect(page.get_by_role("heading", name="Silent metrics: 5")).to_be_visible()
