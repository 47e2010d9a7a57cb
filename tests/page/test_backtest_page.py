"""Back-tests on the page: what is tried, how far it is, and the variants side by side."""

import pytest
from playwright.sync_api import expect

from tests.page.alerts import RULES
from tests.page.fleet import NOW

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


def test_other_models_and_rules_stand_beside_what_was(world, site):
    page = site.open("/setup/backtest")
    page.get_by_label("Metrics").fill("web.*")
    page.get_by_label("over", exact=True).select_option("14")
    page.get_by_label("nupic", exact=True).check()
    page.get_by_role("button", name="Try other rules beside them").click()
    tried = page.get_by_label("Other rules, 1: as they stand in alerts.toml")
    expect(tried).to_have_value(RULES)
    tried.fill(RULES.replace("percent = 20", "percent = 50"))
    page.get_by_role("button", name="Start").click()
    rows = page.get_by_role("region", name="Variants").locator("tbody tr")
    expect(rows).to_have_count(4)
    expect(rows.nth(0)).to_contain_text("as it was, rules in use")
    expect(rows.nth(1)).to_contain_text("as it was, other rules, 1")
    expect(rows.nth(3)).to_contain_text("nupic, other rules, 1")
    expect(rows.nth(0).locator("td")).to_have_text(
        ["40", "412", "131", "36", "9", "8", "8", "7", "88 %", "40 %", "4 min"]
    )
    assert world.backtest == {
        "since": NOW - 14 * 86_400,
        "match": "web.*",
        "models": ["nupic"],
        "rules": [RULES, RULES.replace("percent = 20", "percent = 50")],
    }
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0


def test_a_back_test_says_how_far_it_is_and_is_cancelled(world, site):
    world.jobs_last = True
    page = site.open("/setup/backtest")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("Scoring: 40\u202f000 of 200\u202f000 rows.")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled: 40\u202f000 of 200\u202f000 rows.")).to_be_visible()
    assert world.backtest["rules"] == []
