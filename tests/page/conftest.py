"""The page in a real browser, against a server with fixed answers and at a fixed moment."""

import os
from pathlib import Path

import pytest

from tests.page.fake_server import Server, World
from tests.page.fleet import NOW

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
TIMEOUT_S = 20
"""How long a busy machine may take for what a person sees at once."""
SIZES = {1440: (1440, 900), 900: (900, 900), 390: (390, 844)}


@pytest.fixture(scope="package")  # no longer: its event loop would be in the way of others
def browser():
    if not CHROMIUM.exists():
        message = f"{CHROMIUM} is not here: on Debian, apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=1000 * TIMEOUT_S)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def world():
    return World()


@pytest.fixture
def server(world):
    server = Server(world)
    yield server
    server.close()


class Site:
    """The page of a server: opens addresses, and keeps what the browser complained about."""

    def __init__(self, browser, url):
        self.browser = browser
        self.url = url
        self.complaints = []
        self.expected = None  # text of complaints that a test is about
        self.contexts = []

    def open(self, path="/", size=1440, theme="light", zone="Europe/Berlin", moment=NOW, **options):
        context = self.browser.new_context(
            viewport=dict(zip(("width", "height"), SIZES[size], strict=True)),
            color_scheme=theme,
            timezone_id=zone,
            locale="en-GB",
            has_touch=size == 390,
            **options,
        )
        self.contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(1000 * TIMEOUT_S)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        if moment is not None:
            page.clock.set_fixed_time(moment)
        page.goto(self.url + path)
        return page

    def resize(self, page, size):
        """Make the screen another one, for what is opened from now on."""
        page.set_viewport_size(dict(zip(("width", "height"), SIZES[size], strict=True)))
        session = page.context.new_cdp_session(page)
        session.send("Emulation.setTouchEmulationEnabled", {"enabled": size == 390})

    def _console(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} {message.location.get('url', '')}")

    def close(self):
        for context in self.contexts:
            context.close()


@pytest.fixture
def site(browser, server):
    site = Site(browser, server.url)
    yield site
    site.close()
    assert [one for one in site.complaints if site.expected is None or site.expected not in one] == []
