"""What the page costs the browser: first paint, the main thread while results stream in, frames while scrolling.

    .venv/bin/python -m tests.page --metrics 5000 --rate 1000 --port 2090 &
    .venv/bin/python -m benchmarks.page http://127.0.0.1:2090 --json

It measures the page of any address: that of a running engine as well as that of fixed answers. Browser and server share
the machine. `busy` is the share of the time in which the browser's main thread was at work.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any, Final

from playwright.sync_api import sync_playwright

from benchmarks.machine import machine

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page

CHROMIUM: Final = "/usr/bin/chromium"
ARGUMENTS: Final = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
COUNT_FRAMES: Final = """async seconds => {
  const times = [];
  await new Promise(done => {
    const end = performance.now() + seconds * 1000;
    const frame = now => { times.push(now); scrollBy(0, SPEED); now < end ? requestAnimationFrame(frame) : done(); };
    requestAnimationFrame(frame);
  });
  const gaps = times.slice(1).map((time, i) => time - times[i]).sort((a, b) => a - b);
  return {fps: 1000 * gaps.length / (times.at(-1) - times[0]), worst_ms: gaps.at(-1), p99_ms: gaps[Math.floor(0.99 * gaps.length)]};
}"""


def main() -> None:
    """Measure a page and print what was seen."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url", help="address of the overview")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each state is watched")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    arguments = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        report = {"machine": machine(), **_measure(page, arguments.url, arguments.seconds)}
        browser.close()
    print(json.dumps(report, indent=None if arguments.json else 2))


def _measure(page: Page, url: str, seconds: float) -> dict[str, Any]:
    page.goto(url)
    page.locator(".metric-row").first.wait_for()
    listed = page.evaluate("performance.now()")
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.wait_for_timeout(2000)
    live = _busy(session, page, seconds)
    before = _metrics(session)
    frames = page.evaluate(COUNT_FRAMES.replace("SPEED", "40"), seconds)
    scrolling = _share(before, _metrics(session))
    return {
        "metrics": page.locator(".list-count").inner_text(),
        "first_paint_ms": paint,
        "listed_ms": listed,
        "busy_live": live,
        "busy_scrolling": scrolling,
        "scrolling": frames,
        "heap_mb": _metrics(session)["JSHeapUsedSize"] / 1e6,
    }


def _busy(session: CDPSession, page: Page, seconds: float) -> float:
    before = _metrics(session)
    page.wait_for_timeout(seconds * 1000)
    return _share(before, _metrics(session))


def _metrics(session: CDPSession) -> dict[str, float]:
    return {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}


def _share(before: dict[str, float], after: dict[str, float]) -> float:
    """Return the share of the time between that the main thread was at work."""
    return (after["TaskDuration"] - before["TaskDuration"]) / (after["Timestamp"] - before["Timestamp"])


if __name__ == "__main__":
    main()
