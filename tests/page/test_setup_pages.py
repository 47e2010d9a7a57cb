"""Setup and access: senders, rules, files, tokens, logging in."""

import re

import pytest
from playwright.sync_api import expect

from tests.page.fleet import uid_of
from tests.page.monitor_rules import RULES

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

CSV = "timestamp,value\n" + "\n".join(
    f"2026-03-{1 + i // 24:02d}T{i % 24:02d}:00:00Z,{i % 24}.5" for i in range(200)
)


def test_the_setup_begins_with_senders(site):
    page = site.open("/setup")
    expect(page.get_by_role("heading", level=1)).to_have_text("Connect")
    expect(page).to_have_url(re.compile("/setup/connect$"))


def test_a_sender_is_told_this_host_and_port_and_a_light_shows_samples(site):
    page = site.open("/setup/connect")
    page.get_by_role("tab", name="collectd").click()
    expect(page.get_by_role("tabpanel")).to_contain_text('Host "metrics.example"')
    expect(page.get_by_role("tabpanel")).to_contain_text('Port "2003"')
    expect(page.get_by_text("32 samples in the last 10 s by Graphite text.")).to_be_visible()
    expect(page.locator(".light-refused")).to_contain_text(
        "30 s ago, from 10.0.4.31:40112: a line has three fields"
    )
    doors = page.get_by_role("region", name="Doors").locator("tbody tr")
    expect(doors).to_have_count(3)
    expect(doors.first).to_have_text(re.compile(r"Graphite text\s*metrics.example:2003\s*32\s*now"))
    expect(doors.first.locator(".lamp.on")).to_be_visible()
    expect(doors.nth(1)).to_contain_text("none yet")
    page.get_by_role("tab", name="collectd").press("ArrowRight")
    expect(page.get_by_role("tab", name="Telegraf")).to_be_focused()
    expect(page).to_have_url(re.compile("agent=telegraf"))


def test_senders_are_offered_whose_door_is_open(world, site):
    page = site.open("/setup/connect?agent=prometheus")
    expect(page.get_by_role("tabpanel")).to_contain_text(f"url: {site.url}/api/v1/write")
    expect(page.get_by_text("Waiting for the first sample by Prometheus remote write.")).to_be_visible()
    expect(page.get_by_role("tab", name="OpenTelemetry")).to_have_count(0)


def test_rules_say_what_they_would_do_before_they_are_saved(world, site):
    page = site.open("/setup/monitor")
    rules = page.get_by_role("region", name="Rules").locator("tbody tr")
    expect(rules).to_have_count(3)
    expect(rules.nth(1)).to_contain_text("shop.*action = monitor28")
    expect(page.get_by_text("88 metrics would be watched, 103 not; 188 are now.")).to_be_visible()
    area = page.get_by_label("monitor-rules.conf")
    area.fill(RULES.replace("shop.*", "shop.o*"))
    expect(page.get_by_text("67 metrics would be watched, 124 not")).to_be_visible()
    assert world.monitor_rules == RULES
    page.get_by_role("button", name="Save rules").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert world.monitor_rules == RULES.replace("shop.*", "shop.o*")


def test_a_rule_is_added_in_front_of_those_that_decide_and_behind_those_that_change_names(world, site):
    page = site.open("/setup/monitor")
    page.get_by_label("Metrics that fit").fill("shop.test.*")
    page.get_by_label("What is done with them").select_option("drop")
    page.get_by_role("button", name="Add as the first rule").click()
    rules = page.get_by_role("region", name="Rules").locator("tbody tr")
    expect(rules.nth(1)).to_contain_text("shop.test.*action = drop")
    page.get_by_role("button", name="Save rules").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert world.monitor_rules == RULES.replace(
        "[shop]", "[shop.test.*]\npattern = shop.test.*\naction = drop\n\n[shop]"
    )


def test_a_rule_is_added_only_once_the_file_is_here(world, site):
    page = site.open("/setup/connect?agent=collectd")
    held = []
    page.route("**/api/v1/monitor-rules", lambda route: held.append(route))
    page.get_by_role("link", name="What is watched").click()
    add = page.get_by_role("button", name="Add as the first rule")
    expect(add).to_be_disabled()
    held[0].continue_()
    expect(add).to_be_enabled()


def test_each_fault_of_rules_is_told_with_the_way_to_its_line(world, site):
    page = site.open("/setup/monitor")
    area = page.get_by_label("monitor-rules.conf")
    area.fill(RULES + "[more]\npattern = x\naction = watch\n")
    fault = page.locator(".problem")
    expect(fault).to_contain_text('line 16: [more] action = "watch" is not monitor, ignore or drop')
    fault.get_by_role("button", name="To the line").click()
    expect(area).to_be_focused()
    assert area.evaluate("it => it.value.slice(it.selectionStart, it.selectionEnd)") == "action = watch"
    page.get_by_role("button", name="Save rules").click()
    expect(page.locator(".problem")).to_have_count(1)
    assert world.monitor_rules == RULES
    site.expected = "Failed to load resource"


def test_which_rules_apply_to_a_name_is_told_and_why(site):
    page = site.open("/setup/monitor")
    page.get_by_label("Of the metric").fill("app.load")
    page.keyboard.press("Enter")
    expect(page.locator(".rule-way")).to_contain_text(
        "old names line 2, fits app\\.(.*): the name becomes web.load"
    )
    expect(page.locator(".rule-way")).to_contain_text("stored as web.load, and it is not monitored")
    expect(page).to_have_url(re.compile("name=app.load"))


def test_a_metric_shows_the_rules_that_apply_to_it(site):
    page = site.open(f"/m/{uid_of('shop.orders.de')}")
    rules = page.locator(".rail .rule-way")
    expect(rules).to_contain_text("shop line 6, fits shop.*: action = monitor")
    page.get_by_role("link", name="Rules that apply").click()
    expect(page.get_by_label("Of the metric")).to_have_value("shop.orders.de")


def test_rules_of_an_engine_without_a_place_for_them_can_only_be_tried(world, site):
    world.rules_editable = False
    page = site.open("/setup/monitor")
    expect(page.get_by_text("has no place for a file of rules")).to_be_visible()
    expect(page.get_by_role("button", name="Save rules")).to_be_hidden()


def test_a_history_file_is_looked_at_before_it_is_loaded(world, site):
    page = site.open("/setup/backfill")
    page.locator("#file").set_input_files(
        {"name": "history.csv", "mimeType": "text/csv", "buffer": CSV.encode()}
    )
    expect(page.get_by_label("Times", exact=True)).to_have_value("timestamp")
    expect(page.get_by_label("Values", exact=True)).to_have_value("value")
    expect(page.get_by_role("region", name="First rows of the file").locator("tbody tr")).to_have_count(20)
    page.get_by_label("Into the metric").fill("web/requests")
    page.get_by_text("As a command").click()
    expect(page.locator(".command code")).to_contain_text(
        "/backfill/web%2Frequests?time=timestamp&value=value"
    )
    page.get_by_role("button", name="Load").click()
    expect(page.get_by_text("Done: 200 of 200 rows.")).to_be_visible()
    expect(page.get_by_role("link", name="To web/requests")).to_be_visible()


def test_a_file_without_rows_is_refused_here(site):
    page = site.open("/setup/backfill")
    page.locator("#file").set_input_files(
        {"name": "empty.csv", "mimeType": "text/csv", "buffer": b"timestamp,value\n"}
    )
    expect(page.get_by_role("alert")).to_contain_text("This file has no rows")
    expect(page.get_by_role("button", name="Load")).to_be_disabled()


def test_columns_without_telling_names_are_guessed_by_what_is_in_them(site):
    page = site.open("/setup/detect")
    rows = b"id;when;load\nx1;2026-03-01 00:00:00;0.5\nx2;2026-03-01 00:05:00;0.7\n"
    page.locator("#file").set_input_files({"name": "odd.csv", "mimeType": "text/csv", "buffer": rows})
    expect(page.get_by_label("Times", exact=True)).to_have_value("when")
    expect(page.get_by_label("Values", exact=True)).to_have_value("load")


def test_a_file_is_scored_and_drawn(site):
    page = site.open("/setup/detect")
    page.locator("#file").set_input_files(
        {"name": "file.csv", "mimeType": "text/csv", "buffer": CSV.encode()}
    )
    page.get_by_role("button", name="Score", exact=True).click()
    expect(page.get_by_text("1 incident in 1 441 rows.")).to_be_visible()
    expect(page.locator(".detect-result canvas")).to_have_count(3)
    listed = page.get_by_role("region", name="1 incident", exact=True)
    expect(listed).to_contain_text("steps larger than usual")
    listed.get_by_role("button").click()
    expect(page.locator(".found tr.chosen")).to_have_count(1)


def test_a_token_is_shown_once(site):
    page = site.open("/setup/access")
    page.get_by_label("For").fill("ci")
    page.get_by_label("write").check()
    page.get_by_role("button", name="Make a token").click()
    expect(page.locator(".fresh-token")).to_contain_text("htm_xxx")
    page.reload()
    expect(page.get_by_role("region", name="Tokens")).to_contain_text("grafana")
    expect(page.locator(".fresh-token")).to_be_empty()


def test_who_is_not_logged_in_is_asked_for_a_token_and_led_back(world, site):
    world.token = "htm_secret"
    page = site.open("/incidents?state=open")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    page.get_by_label("Access token").fill("htm_wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("No token like this is known here.")
    page.get_by_label("Access token").fill("htm_secret")
    page.keyboard.press("Enter")
    expect(page.locator(".incident-row")).to_have_count(2)
    expect(page).to_have_url(re.compile(r"/incidents\?state=open$"))
    site.expected = "Failed to load resource"


def test_logging_in_leads_to_no_other_site(world, site):
    world.token = "htm_secret"
    page = site.open("/login?to=https://elsewhere.example/")
    page.get_by_label("Access token").fill("htm_secret")
    page.keyboard.press("Enter")
    expect(page.locator(".sentence").first).to_contain_text("2 incidents open")
    assert page.url == site.url + "/"
    site.expected = "Failed to load resource"


def test_what_models_were_taught_is_listed_taken_back_and_taught_again(world, site):
    page = site.open("/setup/labels")
    rows = page.locator(".taught tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("db.primary.latency_p95")
    expect(rows.first).to_contain_text("Such values are normal")
    expect(rows.first).to_contain_text("anna")
    expect(rows.first).to_contain_text("silenced 7 alarms")
    expect(rows.nth(2)).to_contain_text("expired")
    page.get_by_label("Metric").fill("orders")
    expect(rows).to_have_count(1)
    rows.get_by_role("button", name="Take back").click()
    expect(page.get_by_text("Nothing that was taught is of such a metric.")).to_be_visible()
    page.get_by_label("also what was taken back").check()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("taken back")
    expect(page).to_have_url(re.compile("q=orders&all=1"))
    rows.get_by_role("button", name="Teach queue.orders.depth again").click()
    expect(page.locator(".taught tbody .state")).to_have_count(2)
    page.get_by_label("also what was taken back").uncheck()
    page.get_by_label("Metric").fill("")
    expect(rows).to_have_count(3)
    assert world.taught[-1]["how"] == "times"
