"""The page of a metric: what it shows of a series, and why a row alarmed."""

import re

import pytest
from playwright.sync_api import expect

from tests.page import fleet
from tests.page.fleet import NOW, uid_of

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


def test_a_metric_leads_to_the_same_time_in_grafana(world, site):
    world.grafana = "https://grafana.example/d/x?var-metric={metric}&from={from}&to={to}"
    world.names = ["a&b;dc=fra", *world.names]
    page = site.open(f"/m/{fleet.uid_of('a&b;dc=fra')}?w=3h")
    link = page.get_by_role("link", name="Open in Grafana")
    expect(link).to_have_attribute(
        "href",
        f"https://grafana.example/d/x?var-metric=a%26b%3Bdc%3Dfra&from={(NOW - 10_800) * 1000}&to={NOW * 1000}",
    )
    page.get_by_role("button", name="6h", exact=True).or_(
        page.get_by_role("button", name="24h", exact=True)
    ).first.click()
    link.focus()
    expect(link).not_to_have_attribute("href", re.compile(f"from={(NOW - 10_800) * 1000}"))
    world.grafana = None
    page.reload()
    expect(page.get_by_role("button", name="Copy link")).to_be_visible()
    expect(link).to_have_count(0)


NAME = "db.primary.latency_p95"
PATH = f"/m/{uid_of(NAME)}"


def caption(page):
    return page.locator("figcaption")


def test_the_head_names_the_metric_and_its_incident(site):
    page = site.open(PATH)
    expect(page.get_by_role("heading", level=1)).to_have_text(NAME)
    expect(page.locator(".facts")).to_contain_text("usual 94.8 to 115")
    page.get_by_role("link", name="in incident i7k2").click()
    expect(page).to_have_url(re.compile("/i/i7k2$"))


def test_a_metric_is_found_by_its_name(site):
    page = site.open(f"/m?name={NAME}")
    expect(page).to_have_url(re.compile(PATH))
    page.goto(f"{site.url}/m?name=nonesuch")
    expect(page.get_by_text("No sample of “nonesuch” has ever arrived")).to_be_visible()


def test_the_chart_says_in_words_what_it_shows(site):
    page = site.open(PATH)
    expect(caption(page)).to_have_text("11 Mar 15:26 to 15:26: 44 alarms, the highest 0.86 at 14:56.")


def test_why_is_said_in_words_with_what_the_memory_had_foreseen(site):
    page = site.open(PATH)
    why = page.get_by_role("region", name="Why")
    newest = fleet.alarms(NAME)[0]
    expect(why).to_contain_text(newest["sentence"])
    expect(
        why.get_by_role("img", name=re.compile("Value 168; usual 94.8 to 115; forecast 105"))
    ).to_be_visible()
    expect(why.locator(".number-line .foreseen")).to_have_count(2)
    expect(why.locator(".channel.deciding")).to_have_text(re.compile("jump.*0.68"))
    expect(why).to_contain_text("Alarmed 3 times before, last 3 Mar")
    expect(why).to_contain_text("web.checkout.errors")


def test_another_alarm_is_explained_by_its_row_in_the_address(site):
    alarm = fleet.alarms(NAME)[20]
    page = site.open(f"{PATH}?row={alarm['rowid']}")
    expect(page.get_by_role("region", name="Why")).to_contain_text(alarm["sentence"])
    page.keyboard.press("j")
    expect(page).to_have_url(re.compile(f"row={fleet.alarms(NAME)[21]['rowid']}"))
    expect(page.get_by_role("region", name="Why")).to_contain_text(fleet.alarms(NAME)[21]["sentence"])


def test_dragging_zooms_and_going_back_unzooms(site):
    page = site.open(PATH)
    expect(caption(page)).to_contain_text("44 alarms")
    box = page.locator(".plot.values .u-over").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 60, steps=4)
    page.mouse.up()
    expect(caption(page)).to_contain_text("no alarm")
    assert "from=" in page.url
    page.reload()
    expect(caption(page)).to_contain_text("no alarm")
    page.go_back()
    expect(caption(page)).to_contain_text("44 alarms")


def test_all_history_is_seen_by_a_key(site):
    page = site.open(PATH)
    expect(caption(page)).to_contain_text("44 alarms")
    page.keyboard.press("f")
    expect(caption(page)).to_contain_text("19 Feb 15:26 to 15:26")
    expect(page.get_by_role("button", name="all")).to_have_attribute("aria-pressed", "true")


def test_the_wheel_zooms_towards_the_pointer(site):
    page = site.open(PATH)
    expect(caption(page)).to_contain_text("44 alarms")
    box = page.locator(".plot.values .u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 50)
    page.mouse.wheel(0, -100)
    expect(page).to_have_url(re.compile("from="))
    since, until = (
        int(page.evaluate(f"new URLSearchParams(location.search).get('{key}')")) for key in ("from", "to")
    )
    assert until - since == pytest.approx(86_400 / 1.25, rel=0.01)
    assert since + (until - since) / 4 == pytest.approx(NOW - 86_400 * 0.75, abs=1200)


def test_a_double_click_unzooms_but_never_leaves_the_page(site):
    page = site.open(PATH)
    expect(caption(page)).to_contain_text("44 alarms")
    over = page.locator(".plot.values .u-over")
    over.dblclick()
    # Together, as a wheel makes them; a busy machine would let time pass between them.
    over.evaluate(
        """it => { for (let i = 0; i < 3; i++) it.dispatchEvent(new WheelEvent("wheel",
        { deltaY: -100, clientX: 400, clientY: 200, bubbles: true, cancelable: true })) }"""
    )
    expect(page).to_have_url(re.compile("from="))
    over.dblclick()
    expect(page).to_have_url(re.compile(f"{PATH}$"))


def test_the_week_before_is_laid_over(world, site):
    page = site.open(f"{PATH}?compare=1w")
    expect(page.get_by_label("Overlay")).to_have_value("1w")
    expect(caption(page)).to_contain_text("44 alarms")
    spans = [
        float(params["from"])
        for _method, path, params in world.requests
        if path.endswith("/data") and "from" in params
    ]
    assert NOW - 86_400 - 604_800 in spans


def test_a_new_sample_is_drawn_without_asking_for_all_again(world, site):
    page = site.open(PATH)
    expect(caption(page)).to_contain_text("44 alarms")
    world.push("results", [[uid_of(NAME), 30_242, NOW + 60, 777.0, 0.2, None]])
    expect(page.locator(".facts")).to_contain_text("now 777")


def test_rows_can_be_read_as_a_table(site):
    page = site.open(PATH)
    page.get_by_role("button", name="Table").click()
    table = page.get_by_role("region", name="Rows of the chart")
    expect(table.locator("tbody tr").first).to_contain_text("12 Mar 2026 15:26:00")
    assert "table=1" in page.url


def test_the_cursor_is_moved_by_keys_and_read_out(site):
    page = site.open(PATH)
    expect(caption(page)).to_contain_text("44 alarms")
    figure = page.get_by_role("group", name=re.compile("Chart"))
    figure.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("figure .readout")).to_contain_text(
        "15:26 · 168 · usual 94.8 to 115 · forecast 105 · score 0.68"
    )
    page.keyboard.press("Shift+ArrowLeft")
    expect(page.locator("figure .readout")).to_contain_text("15:16 ·")


def test_times_are_shown_in_utc_by_a_key(site):
    page = site.open(PATH)
    expect(caption(page)).to_contain_text("15:26 to")
    page.keyboard.press("u")
    expect(page.get_by_role("button", name="UTC", exact=True)).to_be_visible()
    page.reload()
    expect(caption(page)).to_contain_text("11 Mar 14:26 to 14:26")


def test_the_parts_of_the_score_are_shown_on_demand(site):
    page = site.open(PATH)
    expect(caption(page)).to_contain_text("44 alarms")
    page.get_by_text("Parts of the score").click()
    page.get_by_role("button", name="novelty").click()
    expect(page.locator(".parts-of-score canvas")).to_be_visible()
    page.reload()
    expect(caption(page)).to_contain_text("44 alarms")
    page.get_by_role("group", name=re.compile("Chart")).press("ArrowLeft")
    expect(page.locator("figure .readout")).to_contain_text("novelty 0.61")


def test_a_short_history_is_not_shown_at_the_end_of_an_empty_day(site):
    page = site.open(f"/m/{uid_of('shop.orders.pl')}")
    expect(page.get_by_role("button", name="1h", exact=True)).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="24h", exact=True).click()
    expect(caption(page)).to_contain_text("11 Mar 15:26 to 15:26")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "shop.orders.pl",
            "Learning: All samples are scored. The model has seen 37 and is young. At this rate there are 100 in 63 min.",
        ),
        ("queue.thumbnails.rate", "the model stopped with an error"),
    ],
)
def test_a_metric_without_a_score_says_why(site, name, said):
    page = site.open(f"/m/{uid_of(name)}")
    expect(page.locator(".no-score-note")).to_contain_text(said)


def test_a_learned_model_is_saved_as_a_file(site):
    page = site.open(PATH)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export model").click()
    assert download.value.suggested_filename == f"{NAME}.model"


def test_an_unknown_metric_is_said_to_be_one(site):
    page = site.open("/m/nonesuch")
    expect(page.get_by_role("alert")).to_contain_text("No metric has the uid nonesuch.")
    site.expected = "Failed to load resource"


def test_labels_of_the_time_that_is_shown_are_listed(site):
    page = site.open(PATH)
    labels = page.get_by_role("region", name="Labels")
    expect(labels).to_contain_text("an anomaly")
    expect(labels).to_contain_text("The disk was full.")
    expect(labels).to_contain_text("by anna")
    page.get_by_role("button", name="Table").click()
    table = page.get_by_role("region", name="Rows of the chart")
    expect(table.get_by_role("columnheader", name="Label")).to_be_visible()
    expect(table.get_by_role("cell", name="anomaly").first).to_be_visible()


def test_what_was_done_to_the_fleet_stands_in_the_chart_as_flags(world, site):
    at = NOW - 5400
    world.events = [
        {"id": 1, "time": at, "what": "checkout 2.14 <b>", "tags": ["deploy"], "data": "", "by": "ci"}
    ]
    page = site.open(f"{PATH}?w=3h")
    expect(page.get_by_role("list", name="Events")).to_contain_text("checkout 2.14 <b> deploy")
    plot = page.locator(".plot.values .u-over").bounding_box()
    page.mouse.move(plot["x"] + plot["width"] / 2, plot["y"] + 20)
    expect(page.locator(".readout")).to_contain_text("⚑ checkout 2.14 <b>")
    page.mouse.move(plot["x"] + plot["width"] / 4, plot["y"] + 20)
    expect(page.locator(".readout")).not_to_contain_text("⚑")


def test_the_past_is_shown_as_what_was_taught_makes_it(world, site):
    page = site.open(f"{PATH}?w=3h")
    expect(caption(page)).to_contain_text("alarms")
    alarms = int(re.search(r"(\d+) alarms", caption(page).text_content())[1])
    button = page.get_by_role("button", name="As re-scored")
    expect(button).to_have_attribute("title", re.compile("takes 5.099 rows again"))
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(page).to_have_url(re.compile("rescored=1"))
    expect(page.get_by_text("As re-scored: 3 alarms would not have been, 0 would have come.")).to_be_visible()
    expect(caption(page)).to_contain_text(f"{alarms - 3} alarms")
    assert any(path.endswith("/data") and params.get("rescored") for _, path, params in world.requests)
    button.click()
    expect(caption(page)).to_contain_text(f"{alarms} alarms")
    page.goto(f"{site.url}/m/{uid_of('queue.orders.age')}")
    expect(caption(page)).to_contain_text("alarm")
    expect(page.get_by_role("button", name="As re-scored")).to_be_hidden()


def test_what_a_teaching_silenced_is_drawn_and_explained(world, site):
    at = NOW - 5400
    world.silenced = [{"rowid": 77, "time": at, "value": 130.0, "log_score": 0.31, "label": "l2"}]
    page = site.open(f"{PATH}?w=3h")
    expect(caption(page)).to_contain_text("1 silenced by what the model was taught.")
    plot = page.locator(".plot.values .u-over").bounding_box()
    page.mouse.move(plot["x"] + plot["width"] / 2, plot["y"] + 20)
    expect(page.locator(".readout")).to_contain_text("silenced by l2")
    page.mouse.click(plot["x"] + plot["width"] / 2, plot["y"] + 20)
    expect(page).to_have_url(re.compile("row=77"))
    why = page.get_by_role("region", name="Why")
    expect(why.get_by_role("heading", level=2)).to_contain_text("silenced")
    why.get_by_role("link", name="l2").click()
    expect(page).to_have_url(re.compile(r"/setup/labels\?id=l2$"))
    expect(page.locator(".taught tbody tr")).to_have_count(1)
