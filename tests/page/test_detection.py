"""What `htmengine detect` shows: the page that it writes, which has no server, and the one that it serves."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.page.conftest import Site
from tests.page.test_every_page import take_picture

pytestmark = pytest.mark.acceptance

SAMPLE = Path(__file__).parents[2] / "examples" / "sample" / "requests.csv"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return the address of a page that was written over the sample."""
    path = tmp_path_factory.mktemp("plot") / "requests.html"
    subprocess.run(
        [sys.executable, "-m", "htmengine.cli", "detect", SAMPLE, "--plot", path],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    return path.as_uri()


@pytest.fixture
def file_site(browser, written):
    site = Site(browser, written)
    yield site
    site.close()
    assert site.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [1440, *(pytest.param(size, marks=pytest.mark.slow) for size in (900, 390))])
def test_a_written_page_draws_the_series_without_any_server(file_site, size, theme):
    from axe_playwright_python.sync_playwright import Axe

    page = file_site.open("", size=size, theme=theme, moment=None, offline=True)
    expect(page.get_by_role("heading", level=1)).to_contain_text("requests.csv: value")
    expect(page.locator("canvas")).to_have_count(3)
    page.wait_for_function(
        """() => [...document.querySelectorAll('canvas')].every((canvas) => {
            const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
            return data.some((value) => value > 0);
        })"""
    )
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    if os.environ.get("HTMENGINE_PICTURES") and size == 1440:
        take_picture(page, f"detect-{theme}.png")


def test_a_line_of_the_list_leads_to_its_place_and_back(file_site):
    page = file_site.open("", moment=None)
    rows = page.locator(".found tbody tr")
    expect(rows.first).to_contain_text("Mar 2024")
    before = page.locator(".minimap canvas").screenshot()
    rows.nth(1).get_by_role("button").click()
    expect(page.locator(".found tr.chosen")).to_have_count(1)
    assert page.locator(".minimap canvas").screenshot() != before
    figure = page.locator("figure.chart")
    figure.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".readout")).to_contain_text("value")
    page.keyboard.press("f")
    figure.locator(".u-over").first.dblclick()


def test_the_served_page_hides_what_belongs_to_a_running_engine_and_explains_any_row(browser, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "htmengine.cli", "detect", SAMPLE, "--serve"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    site = None
    try:
        address, path = next(
            found.groups()
            for line in process.stderr
            if (found := re.search(r"Open (http://127\.0\.0\.1:\d+)(/m/\S+)", line))
        )
        site = Site(browser, address)
        page = site.open(f"{path}&row=4000", moment=None)
        expect(page.get_by_role("region", name="Why").locator(".why-sentence")).to_contain_text(
            re.compile(r"\S")
        )
        navigation = page.get_by_role("navigation", name="Pages")
        expect(navigation.get_by_role("link", name="Overview")).to_be_visible()
        expect(navigation.get_by_role("link", name="Health")).to_be_hidden()
        expect(navigation.get_by_role("link", name="Setup")).to_be_hidden()
        expect(page.locator(".record-name")).to_have_text("requests")
        expect(page.get_by_role("link", name="Export rows")).to_be_visible()
        expect(page.get_by_role("button", name="Stop watching")).to_have_count(0)
        expect(page.locator(".rail .fact-list")).to_be_visible()
        expect(page.get_by_role("link", name="Rules that apply")).to_have_count(0)
        page.keyboard.press("g")
        page.keyboard.press("h")
        expect(page).to_have_url(re.compile(r"/m/"))
        page.goto(f"{address}/incidents?lone=1")
        expect(page.locator(".incident-row").first).to_be_visible()
    finally:
        if site:
            site.close()
        process.terminate()
        process.communicate(timeout=60)
    assert site.complaints == []
