"""Targets and deliveries: who is told, what became of it, and sending it again."""

import re

import pytest
from playwright.sync_api import expect

from tests.page.alerts import HOSTILE, PATH

pytestmark = pytest.mark.acceptance


def test_a_target_names_its_secrets_and_says_how_it_took_the_last_notice(site):
    page = site.open("/setup/targets")
    ops, pager = (page.get_by_role("article", name=name) for name in ("ops", "pager"))
    expect(ops).to_contain_text("secret, in the file secrets/ops-webhook")
    expect(ops).to_contain_text("ops was told (opened), 15 min ago")
    expect(pager).to_contain_text("Nothing is sent to it: HTTP 410 Gone")
    expect(page.locator(".part")).to_contain_text(f"Edit {PATH} on the machine of the engine")


def test_a_test_message_says_what_came_of_it(world, site):
    page = site.open("/setup/targets")
    for name, said in (("ops", "✓ Taken: HTTP 204"), ("pager", "✗ Not taken: HTTP 410 Gone")):
        target = page.get_by_role("article", name=name)
        target.get_by_role("button").click()
        expect(target.get_by_role("status")).to_have_text(said)
    assert [path for method, path, _ in world.requests if method == "POST"] == [
        "targets/ops/test",
        "targets/pager/test",
    ]


def test_without_a_target_the_page_says_how_to_add_one(world, site):
    world.targets = []
    page = site.open("/setup/targets")
    expect(page.get_by_text("Nobody is told of incidents yet")).to_be_visible()
    expect(page.locator("pre").first).to_contain_text("[targets.ops]")


def test_notices_are_found_by_state_and_target_and_sent_again(world, site):
    page = site.open("/setup/deliveries?target=pager")
    rows = page.get_by_role("region", name="Deliveries").locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("to be tried again after 3 tries; next at 15:26; HTTP 503")
    page.get_by_label("State").select_option("dead")
    expect(page).to_have_url(re.compile("state=dead"))
    expect(rows).to_have_count(1)
    rows.get_by_role("button", name="Send again").click()
    expect(rows).to_have_text("There is no such notice.")
    assert ("POST", "deliveries/10/send-again", {}) in world.requests
    page.get_by_role("link", name="Show all").click()
    page.get_by_label("State").select_option("")
    expect(rows).to_have_count(6)
    expect(rows.nth(1)).to_contain_text("waiting")


def test_what_receivers_say_is_only_text(world, site):
    world.targets[0]["name"] = world.targets[0]["settings"]["url"] = HOSTILE
    world.notices[0] |= {"title": HOSTILE, "target": HOSTILE, "reason": HOSTILE, "rule": HOSTILE}
    page = site.open("/setup/targets")
    expect(page.get_by_role("article").first).to_contain_text(HOSTILE)
    page.goto(site.url + "/setup/deliveries")
    expect(page.get_by_role("region", name="Deliveries")).to_contain_text(HOSTILE)
    assert page.locator("main img").count() == 0
