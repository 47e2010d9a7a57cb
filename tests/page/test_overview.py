"""The overview: what is said at once, the ranked list, and how it stays calm."""

import re
import time

import pytest
from playwright.sync_api import expect

from tests.page import fleet
from tests.page.fake_server import World
from tests.page.fleet import NOW, uid_of

pytestmark = pytest.mark.acceptance

FIRST_MOVER = "db.primary.latency_p95"
WITHIN_S = 60.0
"""How long a busy machine may take to read all of a long list."""


def rows(page):
    return page.get_by_role("grid", name="Metrics").locator(".metric-row")


def names(page, count=8):
    expect(rows(page).nth(count - 1)).to_be_visible()
    return [rows(page).nth(i).locator("a").inner_text().split(" ")[0] for i in range(count)]


def result(name, score, value=1.0, cause=None):
    row = fleet.row(name)["last"]
    return [uid_of(name), row["rowid"] + 1, NOW, value, score, cause]


def test_one_sentence_says_whether_anything_is_wrong(site):
    page = site.open()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        re.compile(r"2 incidents open, 5 of 191 metrics unusual now; engine well, 1\.2 s behind\.")
    )
    expect(page).to_have_title("(2) 2 incidents open · htmengine")


def test_a_calm_fleet_says_since_when(world, site):
    world.incidents = [one for one in world.incidents if one["state"] != "open"]
    world.rows = {name: {**fleet.row(name), "log_score": 0.1, "incident": None} for name in world.names}
    page = site.open()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Nothing unusual for 3 h 12 min")
    page.get_by_text("Last incidents").click()
    expect(page.locator(".incident-card").first).to_be_visible()


def test_trouble_of_the_engine_stands_above_everything(world, site):
    world.troubles = [
        {
            "code": "no_data",
            "text": "No sample has arrived for 12 min.",
            "do": "Look whether the senders run.",
        }
    ]
    page = site.open()
    notice = page.locator("#notices")
    expect(notice).to_contain_text("No sample has arrived for 12 min. Look whether the senders run.")
    assert notice.bounding_box()["y"] < page.get_by_role("heading", level=1).bounding_box()["y"]
    expect(page.get_by_role("heading", level=1)).to_contain_text("engine in trouble")


def test_members_of_incidents_lead_the_list(site):
    page = site.open()
    first = names(page)
    assert first[0] == FIRST_MOVER
    assert set(first) == {metric["name"] for one in fleet.INCIDENTS[:2] for metric in one["metrics"]}
    assert rows(page).first.get_attribute("aria-rowindex") == "2"
    expect(page.get_by_role("grid", name="Metrics")).to_have_attribute("aria-rowcount", "192")


def test_a_metric_without_a_score_says_why_in_its_row(site):
    page = site.open("/?q=state:learning")
    expect(rows(page)).to_have_count(3)
    expect(rows(page).first).to_contain_text("sample 37 of 100, ready in about 63 min")
    page.goto(site.url + "/?q=state:silent")
    expect(rows(page)).to_have_count(5)
    expect(rows(page).first).to_contain_text("silent")


@pytest.mark.parametrize(
    ("words", "count"),
    [("web.*", 40), ("tag:dc=fra cache", 15), ("score:>0.5", 7), ("cause:jump", 2), ("orders -queue", 7)],
)
def test_the_search_finds_by_glob_tag_score_cause_and_exclusion(site, words, count):
    page = site.open()
    page.keyboard.press("/")
    page.keyboard.type(words)
    expect(page.locator(".list-count")).to_have_text(f"{count} metrics")
    page.wait_for_function("words => new URLSearchParams(location.search).get('q') === words", arg=words)
    page.reload()
    expect(page.get_by_role("searchbox")).to_have_value(words)
    expect(page.locator(".list-count")).to_have_text(f"{count} metrics")


def test_a_search_that_finds_nothing_offers_to_clear(site):
    page = site.open("/?q=nonesuch")
    expect(page.get_by_text("No metric matches “nonesuch”")).to_be_visible()
    page.get_by_role("button", name="Show all metrics").click()
    expect(page.locator(".list-count")).to_have_text("191 metrics")


def test_a_dragged_span_ranks_the_metrics_of_that_time(site):
    page = site.open()
    names(page)
    expect(page.locator(".fleet output")).not_to_be_empty()
    strip = page.locator(".fleet canvas").bounding_box()
    at = lambda ago: strip["x"] + strip["width"] * (1 - ago / 86_400)  # noqa: E731
    page.mouse.move(at(31_500), strip["y"] + 20)
    page.mouse.down()
    page.mouse.move(at(29_000), strip["y"] + 20, steps=4)
    page.mouse.up()
    expect(rows(page)).to_have_count(2)
    assert {name.split(";")[0] for name in names(page, 2)} == {"cache.evictions", "cache.misses"}
    page.go_back()
    expect(page.locator(".list-count")).to_have_text("191 metrics")


def test_a_span_can_be_chosen_by_keys(site):
    page = site.open()
    names(page)
    strip = page.get_by_role("group", name=re.compile("Alarming metrics"))
    expect(strip.locator("output")).not_to_be_empty()
    strip.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("button", name=re.compile("Ranked by"))).to_be_visible()
    expect(rows(page)).to_have_count(7)
    strip.press("Escape")
    expect(page.locator(".list-count")).to_have_text("191 metrics")


def test_rows_do_not_move_under_the_pointer_until_it_leaves(world, site):
    page = site.open()
    before = names(page)
    rows(page).nth(3).hover()
    world.push("results", [result("host.web02.load1", 0.97, 9.5, "jump")])
    chip = page.get_by_role("button", name="1 change waiting")
    expect(chip).to_be_visible()
    assert names(page) == before
    world.push("results", [result(FIRST_MOVER, 0.9, 4321.0)])
    expect(rows(page).first.locator(".value-cell")).to_have_text("4321")
    chip.click()
    expect(chip).to_be_hidden()
    page.mouse.move(5, 5)
    assert "host.web02.load1" in names(page, 9)


def test_a_row_moves_by_itself_when_nobody_points_at_the_list(world, site):
    page = site.open()
    before = names(page)
    world.push("results", [result("host.web02.load1", 0.97, 9.5, "jump")])
    expect(rows(page).nth(8).locator("a")).to_have_text("host.web02.load1")
    assert names(page) == before


def posted(world):
    return [path for method, path, _ in world.requests if method == "POST"]


def test_incidents_are_taken_from_the_list_by_keys(world, site):
    page = site.open()
    assert names(page)[0] == FIRST_MOVER
    page.keyboard.press("a")
    expect(page.locator(".acted")).to_have_text("Acknowledged 1 incident.")
    expect(page.locator(".incident-card").first).to_contain_text("taken by anna")
    page.keyboard.press("s")
    expect(page.locator(".acted")).to_have_text("Snoozed for 1 h: 1 incident.")
    assert posted(world) == ["incidents/i7k2/ack", "incidents/i7k2/snooze"]


def test_several_metrics_are_chosen_and_called_normal_at_once(world, site):
    page = site.open()
    inside = {metric["name"]: one["id"] for one in fleet.INCIDENTS[:2] for metric in one["metrics"]}
    assert len({inside[name] for name in names(page)}) == 2
    for _ in range(8):
        page.keyboard.press("j")
        page.keyboard.press("x")
    bar = page.get_by_role("group", name="Chosen metrics")
    expect(bar).to_contain_text("8 metrics chosen")
    expect(page.locator(".metric-row[aria-selected=true]")).to_have_count(8)
    bar.get_by_role("button", name="Normal").click()
    expect(page.locator(".acted")).to_have_text("Noted as false alarms: 2 incidents.")
    expect(bar).to_be_hidden()
    assert sorted(posted(world)) == ["incidents/i7k1/verdict", "incidents/i7k2/verdict"]


def test_the_choice_is_taken_back_and_a_calm_metric_says_that_there_is_nothing_to_do(world, site):
    page = site.open("/?q=orders+-queue&sort=name")
    expect(rows(page)).to_have_count(7)
    calm = page.locator(".metric-row:not(.odd)").first
    calm.click(modifiers=["Control"])
    expect(page.get_by_role("group", name="Chosen metrics")).to_contain_text("1 metric chosen")
    page.keyboard.press("Escape")
    expect(page.get_by_role("group", name="Chosen metrics")).to_be_hidden()
    page.keyboard.press("a")
    expect(page.locator(".acted")).to_contain_text("is in no open incident.")
    assert posted(world) == []
    page.keyboard.press("?")
    help_text = page.get_by_role("dialog", name="Keys")
    for says in ("choose the metric", "acknowledge the incident", "snooze it", "normal"):
        expect(help_text).to_contain_text(says)


def test_groups_open_by_prefix_and_by_tag(site):
    page = site.open("/?group=prefix")
    table = page.get_by_role("treegrid")
    expect(table.locator("tbody tr")).to_have_count(6)
    table.get_by_role("button", name="web").click()
    expect(table.get_by_role("button", name="checkout")).to_be_visible()
    assert "open=web." in page.url
    page.get_by_label("Group", exact=True).select_option("tag:dc")
    expect(table.locator("tbody tr")).to_have_count(2)
    table.get_by_role("link", name="fra").click()
    expect(page.locator(".list-count")).to_have_text("15 metrics")


def test_the_first_steps_give_way_to_the_list_when_samples_come(browser):
    from tests.page.conftest import Site
    from tests.page.fake_server import Server

    server = Server(World(names=[]))
    site = Site(browser, server.url)
    page = site.open()
    expect(page.get_by_role("heading", name="No metric yet")).to_be_visible()
    expect(page.locator(".first-steps")).to_contain_text("nc -q 1 metrics.example 2003")
    expect(page.locator(".first-steps")).to_contain_text("“hello”, a line has three fields")
    server.world.names = ["web.api.requests"]
    server.world.push(
        "health",
        {
            "incidents_open": 0,
            "unusual": 0,
            "metrics": 1,
            "lag_s": 0.1,
            "engine": "well",
            "troubles": [],
            "calm_since": None,
            "monitored": 1,
        },
    )
    expect(rows(page)).to_have_count(1)
    site.close()
    server.close()


def test_a_lost_engine_is_said_and_found_again(server, site):
    page = site.open()
    names(page)
    server.close()
    expect(page.locator("#notices")).to_contain_text("The connection to the engine is lost")
    server.restart()
    expect(page.locator("#notices")).to_be_empty()
    site.expected = "Failed to load resource"


@pytest.mark.parametrize("size", [5000])
def test_many_metrics_are_all_reached_by_scrolling(world, site, size):
    world.names = [f"load.{i:05d}.value" for i in range(size)]
    page = site.open("/?sort=name")
    expect(page.locator(".list-count")).to_have_text("5\u202f000 metrics")
    assert rows(page).count() < 100
    deadline = time.monotonic() + WITHIN_S
    while rows(page).last.locator("a").inner_text() != "load.04999.value" and time.monotonic() < deadline:
        page.keyboard.press("End")
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.wait_for_timeout(100)
    expect(rows(page).last.locator("a")).to_have_text("load.04999.value")
    order = page.evaluate(
        "[...document.querySelectorAll('.metric-row')].map(row => Number(row.getAttribute('aria-rowindex')))"
    )
    assert order == sorted(order)


def test_more_of_a_list_is_not_added_to_another_that_was_asked_for_meanwhile(world, site):
    world.names = [f"load.{i:05d}.value" for i in range(1000)]
    page = site.open("/?sort=name")
    expect(page.locator(".list-count")).to_have_text("1\u202f000 metrics")
    held = []
    page.route(re.compile(r"/metrics\?.*after="), lambda route: held.append(route))
    with page.expect_request(re.compile(r"/metrics\?.*after=")):
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
    with page.expect_event("requestfailed", lambda request: request == held[0].request):  # it is given up
        page.get_by_role("searchbox").first.fill("load.0000")
    expect(page.locator(".list-count")).to_have_text("10 metrics")
    expect(rows(page)).to_have_count(10)


def test_values_go_on_being_live_after_the_list_was_read_again(world, site):
    name = "db.primary.latency_p95"
    page = site.open(f"/?q={name}")
    row = page.locator(".metric-row")
    expect(row).to_have_count(1)
    row.focus()  # the row stays where it is, and is current all the same
    world.row(name)["snoozed_until"] = NOW + 600
    with page.expect_response(lambda response: "/api/v1/metrics?" in response.url):
        world.push("reset", {"reason": "a test"})
    expect(row.locator(".state")).to_have_text("snoozed until 15:36")
    world.push("results", [[fleet.uid_of(name), 10**7, NOW + 1, 432.1, 0.2, None]])
    expect(row.locator(".value-cell")).to_have_text("432")
