"""The page of a real engine: what its answers hold is what the page expects of them."""

import random
import time

import pytest
from playwright.sync_api import expect

from tests.acceptance.engine import Folder
from tests.page.conftest import Site

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

NAMES = ["shop.api.latency", "shop.api.requests", "shop.db.latency"]
QUIET = "host.temperature"
ROWS = 600
STEP_S = 300
"""With it an incident is open for a quarter of an hour behind its last alarm."""
RISES_AT = 590


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return an engine with two days of samples, in the end of which three metrics rise one after the other."""
    folder = Folder(tmp_path_factory.mktemp("page") / "data")
    (folder.path / "monitor-rules.conf").write_text("[everything]\npattern = *\naction = monitor\n")
    rng, now = random.Random(7), int(time.time())
    with folder.up():
        for name in [*NAMES, QUIET]:
            folder.cli("monitor", name, "--min", "0", "--max", "500")
        lines = []
        for i in range(ROWS):
            for place, name in enumerate([*NAMES, QUIET]):
                risen = name != QUIET and i >= RISES_AT + 2 * place
                lines.append(
                    f"{name} {100 + 5 * rng.random() + (150 if risen else 0):.3f} {now - STEP_S * (ROWS - 1 - i)}"
                )
        folder.send([*lines, "hello", "fresh.metric 1 " + str(now)])
        for name in [*NAMES, QUIET]:
            folder.wait_for_scores(name, ROWS)
        yield folder


@pytest.fixture
def site(browser, folder):
    site = Site(browser, f"http://127.0.0.1:{folder.http_port}")
    yield site
    site.close()
    assert site.complaints == []


def test_an_incident_is_followed_from_the_sentence_to_the_reason(site):
    page = site.open("/", moment=None)
    expect(page.get_by_role("heading", level=1)).to_contain_text("1 incident open", timeout=60_000)
    expect(page.locator(".metric-row")).to_have_count(5)
    expect(page.locator(".metric-row", has_text="fresh.metric")).to_contain_text(
        "sample 1 of", timeout=60_000
    )
    page.locator(".incident-card").click()
    lanes = page.get_by_role("list", name="Metrics by their first alarm").get_by_role("listitem")
    expect(lanes).to_have_count(3)
    assert [lane.locator("a").inner_text() for lane in lanes.all()] == NAMES
    lanes.nth(1).get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(NAMES[1])
    expect(page.locator("figcaption")).to_contain_text("alarm")
    expect(page.get_by_role("region", name="Why").locator(".channel.deciding")).to_be_visible()


# Early, since the incident ends.
def test_what_people_say_of_an_incident_is_seen_in_the_list_at_once(site):
    page = site.open(f"/?q={NAMES[0]}", moment=None)
    chip = page.locator(".metric-row .state")
    expect(page.locator(".metric-row")).to_have_count(1)
    page.locator(".metric-row").focus()
    page.keyboard.press("a")
    expect(chip).to_contain_text("taken by this machine")
    expect(page.locator(".chosen")).to_contain_text("1 incident.")
    page.keyboard.press("s")
    expect(page.locator(".chosen")).to_contain_text("Snoozed")
    expect(chip).to_contain_text("snoozed until")


def test_each_way_to_look_at_the_list_has_an_answer(site):
    page = site.open("/?q=shop.api.*", moment=None)
    expect(page.locator(".list-count")).to_have_text("2 metrics")
    for choice in ("name", "last", "lag", "alarms", "trouble"):
        page.get_by_label("Sort by").select_option(choice)
        expect(page.locator(".metric-row")).to_have_count(2)
    for window in ("1h", "6h", "7d"):
        page.get_by_role("button", name=window, exact=True).click()
        expect(page.locator(".metric-row")).to_have_count(2)
    page.goto(site.url + "/?group=prefix&open=shop.")
    expect(page.get_by_role("treegrid")).to_contain_text("api")
    now = int(time.time())
    page.goto(f"{site.url}/?from={now - 3600}&to={now}")
    expect(page.locator(".metric-row")).to_have_count(3)
    page.goto(site.url + "/?preview=1")
    page.locator(".metric-row").first.click()
    expect(page.locator(".preview canvas").first).to_be_visible()


def test_each_way_to_look_at_a_metric_has_an_answer(site):
    page = site.open(f"/m?name={NAMES[0]}", moment=None)
    expect(page.locator("figcaption")).to_contain_text("alarm")
    for choice in ("all", "7d", "24h", "3h"):
        page.get_by_role("button", name=choice, exact=True).click()
        expect(page.locator("figcaption")).to_contain_text("alarm")
    page.get_by_label("Overlay").select_option("1d")
    page.get_by_text("Parts of the score").click()
    for part in ("sequence", "novelty", "raw"):
        page.get_by_role("button", name=part).click()
    page.get_by_role("button", name="Table").click()
    expect(page.get_by_role("region", name="Rows of the chart").locator("tbody tr").first).to_be_visible()
    expect(page.locator(".parts-of-score canvas")).to_be_visible()


def test_a_live_sample_is_seen_without_reloading(site, folder):
    page = site.open(f"/?q={QUIET}", moment=None)
    row = page.locator(".metric-row")
    expect(row).to_have_count(1)
    folder.send([f"{QUIET} 123.456 {int(time.time()) + 1}"])
    expect(row.locator(".value-cell")).to_have_text("123", timeout=60_000)


def test_health_and_setup_know_this_engine(site, folder):
    page = site.open("/health", moment=None)
    expect(page.get_by_role("heading", level=1)).to_contain_text("A sample that arrives now is scored in")
    expect(page.locator(".refusal").first).to_contain_text("hello")
    page.get_by_label("Metric", exact=True).fill(QUIET)
    page.get_by_role("button", name="Follow").click()
    expect(page.locator(".follow-steps li").first).to_be_visible()
    page.goto(site.url + "/setup/connect?agent=shell")
    expect(page.get_by_role("tabpanel")).to_contain_text(str(folder.port))
    page.goto(site.url + "/incidents")
    expect(page.locator(".incident-row").first).to_be_visible()
    page.goto(site.url + "/setup/monitor")
    expect(page.locator(".preview-summary")).to_contain_text("metrics would be watched")
    page.goto(site.url + "/setup/access")
    expect(page.get_by_text("No token yet.")).to_be_visible()


def test_a_model_is_taught_and_that_is_taken_back(site):
    page = site.open(f"/m?name={NAMES[2]}", moment=None)
    page.get_by_text("Teach the model").click()
    page.get_by_placeholder("Why (optional)").fill("planned")
    page.get_by_role("button", name="What would it do?").click()
    found = page.locator(".teach .found")
    expect(found).to_contain_text("it would have silenced")
    expect(found.get_by_role("list", name="Silenced").get_by_role("listitem")).not_to_have_count(0)
    page.get_by_role("button", name="Teach it", exact=True).click()
    labels = page.get_by_role("region", name="Labels")
    expect(labels).to_contain_text("planned")
    expect(labels).to_contain_text("Such values are normal: silenced nothing yet")
    labels.get_by_role("button", name="Take back").click()
    expect(page.get_by_role("button", name="Take back")).to_have_count(0)


def test_rules_are_made_tried_and_saved_and_targets_are_tested(site, folder):
    (folder.path / "alerts.toml").write_text('# ours\n[targets.here]\nkind = "terminal"\n')
    page = site.open("/setup/targets", moment=None)
    target = page.get_by_role("article", name="here")
    target.get_by_role("button", name="Send a test message").click()
    expect(target.get_by_role("status")).to_contain_text("✓ Taken")
    target.get_by_role("button", name="Remove").wait_for()
    page.goto(site.url + "/setup/windows?window=new")
    window = page.get_by_role("form", name="New window")
    window.get_by_label("Name").fill("nights")
    window.get_by_label("Begins at").fill("0 22 * * *")
    window.get_by_label("Goes on for").fill("8h")
    expect(window.get_by_role("list", name="Next times").get_by_role("listitem")).to_have_count(5)
    window.get_by_role("button", name="Save the window").click()
    expect(page.locator(".rule-list li")).to_contain_text("At 22:00 every day, for 8 h (UTC)")
    page.goto(site.url + "/setup/alerts?rule=new")
    form = page.get_by_role("form", name="New rule")
    form.get_by_label("Name").fill("shop")
    form.get_by_label("Metrics", exact=True).fill("shop.*")
    expect(form.locator(".budget output")).to_contain_text("from 0.50 on")
    expect(page.get_by_text("would have been told").last).to_be_visible()
    form.get_by_role("button", name="Save the rule").click()
    expect(page.locator(".rule-list li")).to_contain_text("shop.*")
    assert (folder.path / "alerts.toml").read_text().startswith("# ours\n[targets.here]")
    page.goto(site.url + "/setup/deliveries")
    expect(page.get_by_role("region", name="Deliveries").locator("tbody tr").first).to_be_visible()


def test_monitor_rules_are_saved_and_told_with_each_metric(site, folder):
    page = site.open("/setup/monitor", moment=None)
    page.get_by_label("Metrics that fit").fill("shop.api.*")
    page.get_by_role("button", name="Add as the first rule").click()
    expect(page.get_by_role("region", name="Rules")).to_contain_text("shop.api.*action = monitor2")
    page.get_by_role("button", name="Save rules").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert "pattern = shop.api.*" in (folder.path / "monitor-rules.conf").read_text()
    page.goto(f"{site.url}/m?name={NAMES[0]}")
    expect(page.locator(".rail .rule-way")).to_contain_text("action = monitor")


def test_a_back_test_runs_to_its_end(site):
    page = site.open("/setup/backtest", moment=None)
    page.get_by_label("Metrics").fill("shop.*")
    page.get_by_label("over", exact=True).select_option("7")
    page.get_by_label("default", exact=False).check()
    page.get_by_role("button", name="Start").click()
    rows = page.get_by_role("region", name="Variants").locator("tbody tr")
    expect(rows).to_have_count(2, timeout=60_000)
    expect(rows.first).to_contain_text("as it was")


def test_doors_tell_when_samples_came(site, folder):
    page = site.open("/setup/connect?agent=shell", moment=None)
    folder.send([f"{QUIET} 100 {int(time.time()) + 2}"])
    door = page.get_by_role("region", name="Doors").locator("tbody tr").filter(has_text="Graphite text").first
    expect(door).to_contain_text(str(folder.port))
    expect(door).to_contain_text("ago", timeout=30_000)
