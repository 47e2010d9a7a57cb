"""Incidents: the list, and the page of one."""

import re

import pytest
from playwright.sync_api import expect

from tests.page import fleet
from tests.page.fleet import NOW, uid_of

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


def test_open_incidents_come_first_each_with_its_first_mover(site):
    page = site.open("/incidents")
    listed = page.locator(".incident-row")
    expect(listed).to_have_count(6)
    expect(listed.first).to_contain_text("db.primary.latency_p95 +6 metrics")
    expect(listed.first).to_contain_text("open")
    expect(listed.nth(2)).to_contain_text("20 min long")


def test_the_list_is_filtered_by_state_and_name_in_the_address(site):
    page = site.open("/incidents")
    page.get_by_role("button", name="open").click()
    expect(page.locator(".incident-row")).to_have_count(2)
    page.keyboard.press("/")
    page.keyboard.type("web07")
    expect(page.locator(".incident-row")).to_have_count(1)
    page.reload()
    expect(page.locator(".incident-row")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"state=open&q=web07"))


def test_an_answer_that_comes_late_does_not_replace_what_was_asked_for_since(site):
    page = site.open("/incidents")
    expect(page.locator(".incident-row")).to_have_count(6)
    held = []
    page.route(re.compile(r"/incidents\?.*state=open"), lambda route: held.append(route))
    page.get_by_role("button", name="open").click()
    page.get_by_role("button", name="resolved").click()
    expect(page.locator(".incident-row")).to_have_count(4)
    with page.expect_response(re.compile(r"state=open")) as answer:
        held[0].continue_()
    answer.value.finished()
    page.evaluate("() => new Promise((done) => setTimeout(done))")  # what waits for the answer goes first
    expect(page.locator(".incident-row")).to_have_count(4)


def test_no_incident_yet_is_said(world, site):
    world.incidents = []
    page = site.open("/incidents")
    expect(page.get_by_text("No incident yet.")).to_be_visible()


def test_the_page_orders_metrics_by_their_first_alarm_and_tells_the_lag(site):
    page = site.open("/i/i7k2")
    lanes = page.get_by_role("list", name="Metrics by their first alarm").get_by_role("listitem")
    expect(lanes).to_have_count(7)
    expect(lanes.first).to_contain_text("first")
    expect(lanes.first).to_contain_text("db.primary.latency_p95")
    expect(lanes.nth(6)).to_contain_text("+8 min")
    expect(lanes.nth(6)).to_contain_text("shop.orders.de")


def test_a_lane_leads_to_its_metric_at_that_time(site):
    page = site.open("/i/i7k2")
    page.get_by_role("link", name="web.checkout.errors").click()
    expect(page).to_have_url(re.compile(f"/m/{uid_of('web.checkout.errors')}\\?from=17733"))
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Began with a jump")


def test_an_incident_that_changes_is_shown_at_once_and_announced(world, site):
    page = site.open("/incidents")
    expect(page.locator(".incident-row")).to_have_count(6)
    fresh = {**fleet.INCIDENTS[1], "id": "i7k9", "opened": NOW, "sentence": "A jump of shop.revenue.de."}
    world.incidents = [fresh, *world.incidents]
    world.push("incidents", fresh)
    expect(page.locator(".incident-row")).to_have_count(7)
    expect(page.locator("#announcer")).to_have_text("New incident: A jump of shop.revenue.de.")


def test_an_incident_that_was_merged_leads_to_the_one_it_belongs_to(world, site):
    world.merged = {"i7aa": "i7k2"}
    page = site.open("/i/i7aa")
    expect(page).to_have_url(re.compile("/i/i7k2$"))


def test_an_incident_is_copied_as_markdown(site):
    page = site.open("/i/i7k2", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy as Markdown").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    text = page.evaluate("navigator.clipboard.readText()")
    assert text.startswith(
        "**Began with a jump of db.primary.latency\\_p95; 6 metrics followed within 8 min.**"
    )
    assert "| +8 min | shop.orders.de | 0.58 | far from its forecast |" in text


def test_the_next_incident_is_a_key_away(site):
    page = site.open("/i/i7k2")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Began with a jump")
    page.keyboard.press("J")
    expect(page).to_have_url(re.compile("/i/i7k1$"))


def test_a_person_takes_an_incident_comments_on_it_and_ends_it_by_keys(world, site):
    page = site.open("/i/i7k2")
    expect(page.get_by_role("button", name="Acknowledge")).to_be_visible()
    page.keyboard.press("a")
    expect(page.locator(".timeline")).to_contain_text("anna looks after it")
    expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    page.keyboard.press("c")
    page.keyboard.type("a is no key here")
    page.keyboard.press("Enter")
    expect(page.locator(".timeline")).to_contain_text("anna: a is no key here")
    page.get_by_label("Was it real?").select_option("false")
    expect(page.locator(".facts")).to_contain_text("it was a false alarm, says anna")
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("s")
    expect(page.locator(".facts")).to_contain_text("nothing is told of it until")
    page.keyboard.press("r")
    expect(page.locator(".facts")).to_contain_text("resolved")
    expect(page.get_by_role("button", name="Resolve")).to_have_count(0)
    asked = [path for method, path, _ in world.requests if method == "POST"]
    assert asked == [f"incidents/i7k2/{what}" for what in ("ack", "comment", "verdict", "snooze", "resolve")]


@pytest.mark.parametrize(("asked", "label"), [("ack", "Acknowledge"), ("snooze", "Snooze")])
def test_a_link_of_a_message_leads_to_what_it_names_and_does_nothing_by_itself(world, site, asked, label):
    page = site.open(f"/i/i7k2?do={asked}")
    expect(page.get_by_role("group", name="What to do about it").locator(":focus")).to_have_count(1)
    focused = page.locator(":focus")
    assert label in (focused.get_attribute("aria-label") or focused.inner_text())
    assert not [path for method, path, _ in world.requests if method == "POST"]


def test_who_was_told_stands_in_the_timeline_and_what_failed_is_sent_again(world, site):
    about = {"rule": "default", "severity": "warning", "incident": "i7k2", "due": None, "title": "t"}
    world.incidents[0]["deliveries"] = [
        {"id": 7, "target": "ops", "kind": "opened", "state": "delivered", "reason": None}
        | {"created": NOW - 900, "done": NOW - 899, "tries": 1, **about},
        {"id": 8, "target": "pager", "kind": "opened", "state": "dead", "reason": "answered 404"}
        | {"created": NOW - 900, "done": NOW - 800, "tries": 8, **about},
    ]
    page = site.open("/i/i7k2")
    timeline = page.locator(".timeline")
    expect(timeline).to_contain_text("ops was told (opened)")
    expect(timeline).to_contain_text("pager could not be told (opened), given up after 8 tries: answered 404")
    timeline.get_by_role("button", name="Send again").click()
    expect(timeline).to_contain_text("pager is being told (opened)")


def test_a_metric_says_who_was_told_of_its_incident_and_why_others_were_not(world, site):
    about = {"severity": "warning", "incident": "i7k2", "due": None, "title": "t", "tries": 1, "done": NOW}
    one = next(one for one in world.incidents if one["id"] == "i7k2")
    one["deliveries"] = [
        {"id": 7, "target": "ops", "rule": "databases", "kind": "opened", "state": "delivered"}
        | {"created": NOW - 900, "reason": None, **about},
        {"id": 8, "target": "pager", "rule": "databases", "kind": "opened", "state": "suppressed"}
        | {"created": NOW - 900, "reason": "cool-down", **about},
        {"id": 9, "target": "ops", "rule": "databases", "kind": "resolved", "state": "pending"}
        | {"created": NOW - 300, "reason": None, **about},
    ]
    page = site.open(f"/m/{one['first_mover']['uid']}")
    line = page.locator(".rail .told")
    expect(line).to_contain_text(
        "ops was told by the rule databases; pager was not told (opened): cool-down."
    )
    one["deliveries"] = []
    page.reload()
    expect(line).to_contain_text("nobody was told")
