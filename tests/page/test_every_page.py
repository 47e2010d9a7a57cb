"""What holds for every page: sizes and themes, keys alone, screen readers, hostile names, paper."""

import io
import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.page.fleet import uid_of

pytestmark = pytest.mark.acceptance

PICTURES = Path(__file__).parents[2] / "docs" / "images"
METRIC = uid_of("db.primary.latency_p95")
# Name: address, and what is there when the page is complete.
PAGES = {
    "overview": ("/", ".metric-row canvas"),
    "metric": (f"/m/{METRIC}?w=3h", ".channel.deciding"),
    "incidents": ("/incidents", ".incident-row"),
    "incident": ("/i/i7k2", ".lane canvas"),
    "health": ("/health", ".refusal"),
    "connect": ("/setup/connect", ".lamp.on"),
    "monitor": ("/setup/monitor", ".preview-summary strong"),
    "backfill": ("/setup/backfill", ".drop"),
    "detect": ("/setup/detect", ".drop"),
    "alerts": ("/setup/alerts", ".preview-summary strong"),
    "rule": ("/setup/alerts?rule=databases", ".budget output:not(:empty)"),
    "backtest": ("/setup/backtest", "#backtest-match"),
    "targets": ("/setup/targets", ".target"),
    "target": ("/setup/targets?target=new", ".rule-form"),
    "windows": ("/setup/windows", ".rule-list li"),
    "window": ("/setup/windows?window=upgrades", ".next-times li"),
    "deliveries": ("/setup/deliveries", ".deliveries td .state"),
    "labels": ("/setup/labels", ".taught td .state"),
    "access": ("/setup/access", "tbody td"),
    "groups": ("/?group=prefix&open=web.", ".level-2"),
    "learning": (f"/m/{uid_of('shop.orders.pl')}", "progress"),
    "login": ("/login", "#token"),
    "missing": ("/nowhere", "h1"),
}
FEW = {"overview", "metric", "incident"}
"""Pages that are tried without the slow tests, too."""
HOSTILE = "<img/src=x/onerror=alert(1)>"


# Resolved when the page has been left alone for as long as its scripts gather what they ask for.
STILL = """() => new Promise((done) => {
  let timer = setTimeout(done, 150);
  const again = () => { clearTimeout(timer); timer = setTimeout(done, 150); };
  new MutationObserver(again).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
})"""


def complete(page, sign):
    expect(page.locator(sign).first).to_be_visible()
    page.evaluate(STILL)


def take_picture(page, name):
    """Keep a picture for the documentation: few colours suffice, and make it small."""
    from PIL import Image

    PICTURES.mkdir(exist_ok=True)
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(PICTURES / name, optimize=True)


@pytest.mark.parametrize(
    "name", [name if name in FEW else pytest.param(name, marks=pytest.mark.slow) for name in PAGES]
)
def test_a_page_is_whole_at_each_size_and_axe_finds_nothing_serious_in_either_theme(site, name):
    path, sign = PAGES[name]
    page = site.open(path, size=1440, theme="light")
    for theme in ("light", "dark"):
        if theme == "dark":
            page.emulate_media(color_scheme="dark")
            page.reload()
        complete(page, sign)
        assert overhang(page) <= 0, "the page is wider than a screen of 1440"
        assert serious(page) == []
        if os.environ.get("HTMENGINE_PICTURES") and name in ("overview", "metric", "incident", "health"):
            take_picture(page, f"{name}-{theme}.png")
    for size in (900, 390):
        site.resize(page, size)
        page.reload()
        complete(page, sign)
        assert overhang(page) <= 0, f"the page is wider than a screen of {size}"


def overhang(page):
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def serious(page):
    """Return what axe finds that is serious."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def test_hostile_names_are_only_names(world, site):
    world.names = [HOSTILE, "x" * 255, "web.ünïcødé.мир", "a;k=<b>bold</b>", *world.names]
    page = site.open("/?sort=name&q=" + HOSTILE.replace("<", "%3C").replace(">", "%3E"))
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    expect(page.locator(".metric-row")).to_have_count(1)
    expect(page.locator(".metric-name")).to_have_text(HOSTILE)
    page.locator(".metric-row").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    page.goto(f"{site.url}/?group=prefix")
    expect(page.get_by_role("treegrid")).to_contain_text(HOSTILE[:20])
    page.goto(f"{site.url}/?q={'x' * 100}")
    expect(page.locator(".metric-row")).to_have_count(1)
    assert overhang(page) <= 0
    assert page.locator("main img, main b").count() == 0


def test_everything_is_reached_by_keys_alone(site):
    page = site.open()
    expect(page.locator(".metric-row").first).to_be_visible()
    press = page.keyboard.press
    press("j")
    press("j")
    press("k")
    expect(page.locator(".metric-row").first).to_be_focused()
    press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("db.primary.latency_p95")
    press("g")
    press("i")
    expect(page.get_by_role("heading", level=1)).to_have_text("Incidents")
    expect(page.locator(".incident-row").first).to_be_visible()
    press("j")
    press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Began with a jump")
    expect(page.locator(".lane a").first).to_be_visible()
    press("j")
    press("j")
    press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("web.checkout.latency_p95")
    press("g")
    press("h")
    expect(page.get_by_role("heading", level=1)).to_contain_text("A sample that arrives now")
    press("g")
    press("s")
    expect(page.get_by_role("heading", level=1)).to_have_text("Connect")
    press("j")
    expect(page.get_by_role("heading", level=1)).to_have_text("What is watched")
    press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    press("g")
    press("o")
    expect(page.locator(".metric-row").first).to_be_visible()


def test_single_letter_keys_rest_while_typing_and_can_be_switched_off(site):
    page = site.open()
    page.keyboard.press("/")
    page.keyboard.type("go?u")
    expect(page.get_by_role("searchbox")).to_have_value("go?u")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.get_by_label("Single-letter keys").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("u")
    expect(page.get_by_role("button", name="UTC+01:00")).to_be_visible()


def test_the_theme_is_chosen_and_kept(site):
    page = site.open(theme="light")
    page.keyboard.press("d")
    page.keyboard.press("d")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark == "rgb(20, 23, 27)"


def test_the_page_works_below_a_path_of_a_proxy(browser, world):
    from starlette.applications import Starlette
    from starlette.routing import Mount

    from tests.page import fake_server
    from tests.page.conftest import Site

    server = fake_server.Server(world, wrap=lambda app: Starlette(routes=[Mount("/metrics/watch", app)]))
    site = Site(browser, server.url + "/metrics/watch")
    page = site.open()
    expect(page.locator(".metric-row").first).to_be_visible()
    page.locator(".metric-row a").first.click()
    expect(page).to_have_url(re.compile(f"/metrics/watch/m/{METRIC}$"))
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("db.primary.latency_p95")
    site.close()
    server.close()
    assert site.complaints == []


def test_paper_gets_the_list_without_the_controls(site):
    page = site.open()
    expect(page.locator(".metric-row").first).to_be_visible()
    page.emulate_media(media="print")
    expect(page.locator(".list-bar")).to_be_hidden()
    expect(page.locator(".metric-row").first).to_be_visible()


def test_paper_gets_a_whole_chart_without_the_controls(site):
    page = site.open(f"/m/{METRIC}?w=3h", theme="dark")
    expect(page.locator(".channel.deciding")).to_be_visible()
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 720, "height": 1000})
    assert page.locator("select:visible, button:visible, input:visible").count() == 0
    page_box, chart = page.locator(".page").bounding_box(), page.locator(".plot canvas").first.bounding_box()
    assert chart["x"] + chart["width"] <= page_box["x"] + page_box["width"] + 1
    paper = page.locator(".plot canvas").first.evaluate(
        "canvas => getComputedStyle(document.body).backgroundColor"
    )
    assert paper == "rgb(252, 252, 250)"
