"""Alert rules: what they say, changing them, faults at the field, what they would have told, and the budget."""

import re

import pytest
from playwright.sync_api import expect

from htmengine.alerts.rules_text import written_rules
from tests.page.alerts import HOSTILE, RULES

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


def names(world):
    return [rule.name for rule in written_rules(world.rules)]


def test_rules_and_windows_are_told_in_words(site):
    page = site.open("/setup/alerts")
    rules = page.locator(".rule-list li")
    expect(rules).to_have_count(2)
    expect(rules.first).to_contain_text(
        "db.*, but not db.test.*; at least 20 % off the forecast; as critical; tells pager, ops."
    )
    expect(rules.nth(1)).to_contain_text(
        "at most 2 a week; at least 3 alarms or at least 2 metrics; only during office"
    )
    expect(rules.first).to_contain_text("2 messages in 30 days")
    expect(
        page.get_by_text("4 of 6 incidents would have been told, 1.4 a week: ops 4. Held back: 1")
    ).to_be_visible()
    windows = page.locator(".windows-of-time")
    expect(windows).to_contain_text(
        "At 08:00 on Monday through Friday, for 10 h (Europe/Berlin). It is now, until 18:00."
    )
    expect(windows).to_contain_text("Alarms count only then for everything else.")
    expect(windows).to_contain_text("Maintenance: no rule tells of anything then.")


def test_a_rule_is_added_with_its_fields(world, site):
    page = site.open("/setup/alerts")
    page.get_by_role("button", name="Add a rule").click()
    expect(page).to_have_url(re.compile("rule=new"))
    form = page.get_by_role("form", name="New rule")
    form.get_by_label("Name").fill("web")
    form.get_by_label("Metrics", exact=True).fill("web.*\nshop.*")
    form.get_by_label("With the tags").fill("dc=fra")
    form.get_by_label("Least score").first.fill("0.62")
    form.get_by_label("Direction").select_option("up")
    form.get_by_label("Severity").select_option("critical")
    form.get_by_label("Cool-down").fill("2h")
    form.get_by_label("unusual step").check()
    form.get_by_role("group", name="Only during").get_by_label("office").check()
    form.get_by_role("group", name="Who is told").get_by_label("pager").check()
    form.get_by_role("button", name="Save the rule").click()
    expect(form).to_have_count(0)
    expect(page.locator(".rule-list li")).to_have_count(3)
    assert world.rules == RULES + (
        '\n[[rules]]\nname = "web"\nmatch = ["web.*", "shop.*"]\ntags = "dc=fra"\nmin_score = 0.62\ndirection = "up"\n'
        'causes = "jump"\nat_least = { rows = 3, metrics = 2 }\nactive = "office"\nseverity = "critical"\n'
        'cooldown = "2h"\ntargets = "pager"\n'
    )


def test_what_is_wrong_is_said_at_the_field_and_nothing_is_saved(world, site):
    page = site.open("/setup/alerts?rule=databases")
    form = page.get_by_role("form", name="Rule databases")
    form.get_by_label("Cool-down").fill("soon")
    form.get_by_label("Least score").first.fill("0.2")
    form.get_by_label("Name").fill("everything else")
    form.get_by_role("button", name="Save the rule").click()
    for field, said in {"cooldown": "is no duration", "min_score": "is less than 0.5"}.items():
        expect(form.locator(f"#rule-{field}")).to_have_attribute("aria-invalid", "true")
        expect(form.locator(f"#rule-{field}-fault")).to_contain_text(said)
    expect(form.get_by_role("alert")).to_contain_text("is the name of another rule")
    assert world.rules == RULES
    form.get_by_label("Cool-down").fill("1h")
    expect(form.get_by_label("Cool-down")).not_to_have_attribute("aria-invalid", "true")
    site.expected = "Failed to load resource"


def test_faults_of_what_was_saved_do_not_stay_at_a_field_that_was_changed_since(site):
    page = site.open("/setup/alerts?rule=databases")
    form = page.get_by_role("form", name="Rule databases")
    expect(form).to_be_visible()  # the rules were read
    held = []
    page.route("**/api/v1/rules", lambda route: held.append(route))
    form.get_by_label("Cool-down").fill("soon")
    form.get_by_role("button", name="Save the rule").click()
    fault = form.locator("#rule-cooldown-fault")
    expect(fault).to_contain_text("is no duration")  # by the preview
    form.get_by_label("Cool-down").fill("1h")
    expect(fault).to_be_empty()
    with page.expect_response("**/api/v1/rules/preview"):  # what is wrong with what stands there now
        held[0].continue_()
    expect(fault).to_be_empty()
    site.expected = "Failed to load resource"


def test_the_score_is_picked_on_the_curve_of_the_budget(world, site):
    page = site.open("/setup/alerts?rule=everything+else")
    form = page.get_by_role("form", name="Rule everything else")
    curve = form.get_by_role("figure", name="Incidents a week by the least score")
    expect(curve.locator("output")).to_have_text("from 0.75 on 2.0 a week, by the last 3 weeks")
    slider = curve.get_by_role("slider")
    slider.focus()
    slider.press("ArrowLeft")
    expect(form.get_by_label("Least score").first).to_have_value("0.74")
    expect(form.get_by_label("At most so many incidents a week")).to_have_value("")
    expect(curve.locator("output")).to_contain_text("from 0.74 on 2.4 a week")
    box = curve.locator(".u-over").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.6, box["y"] + 40)
    expect(form.get_by_label("Least score").first).to_have_value("0.8")
    form.get_by_role("button", name="Save the rule").click()
    expect(page.locator(".rule-list li").nth(1)).to_contain_text("from score 0.8 on")


def test_rules_change_places_and_are_deleted(world, site):
    page = site.open("/setup/alerts")
    page.get_by_role("button", name="Move everything else up").click()
    expect(page.locator(".rule-list li").first).to_contain_text("everything else")
    assert names(world) == ["everything else", "databases"]
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete databases").click()
    expect(page.locator(".rule-list li")).to_have_count(1)
    assert names(world) == ["everything else"]
    assert world.rules.startswith("# Who is told of what.\n")


def test_the_file_is_changed_as_text_with_every_fault(world, site):
    page = site.open("/setup/alerts")
    page.get_by_text("The file as text").click()
    area = page.get_by_label("alerts.toml")
    expect(area).to_have_value(RULES)
    area.fill(RULES + '[[rules]]\nname = "x"\nseverity = "bad"\n')
    page.get_by_role("button", name="Save the file").click()
    expect(page.get_by_role("alert").first).to_contain_text("is none of info, warning, critical")
    area.fill(RULES.replace("Who is told of what", "Ours"))
    page.get_by_role("button", name="Save the file").click()
    expect(page.get_by_text("Saved. The engine takes it")).to_be_visible()
    assert world.rules.startswith("# Ours.")
    site.expected = "Failed to load resource"


def test_what_another_has_changed_is_not_written_over(world, site):
    page = site.open("/setup/alerts")
    expect(page.locator(".rule-list li")).to_have_count(2)
    world.rules += "# another\n"
    page.get_by_role("button", name="Move everything else up").click()
    expect(page.get_by_role("alert")).to_contain_text("read it again")
    assert names(world) == ["databases", "everything else"]
    site.expected = "Failed to load resource"


def test_hostile_rules_are_only_text(world, site):
    world.rules = RULES.replace("db.test.*", HOSTILE).replace("[windows.office]", "[windows.office]\n# x")
    page = site.open("/setup/alerts?rule=databases")
    expect(page.get_by_label("But not")).to_have_value(HOSTILE)
    expect(page.locator(".rule-list")).to_contain_text(HOSTILE)
    assert page.locator("main img").count() == 0


def test_a_rule_is_changed_by_keys_alone(world, site):
    page = site.open("/setup/connect")
    expect(page.get_by_role("heading", level=1)).to_have_text("Connect")
    for title in ("What is watched", "Load history", "Score a file", "Alert rules"):
        page.keyboard.press("j")
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
    expect(page.locator(".rule-list li")).to_have_count(2)
    edit = page.get_by_role("button", name="Edit databases")
    for _ in range(40):
        page.keyboard.press("Tab")
        if edit.evaluate("button => button === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.type(" of ours")
    page.keyboard.press("Enter")
    expect(page.locator(".rule-list li").first).to_contain_text("databases of ours")
    assert names(world)[0] == "databases of ours"
