"""Modules of the page by themselves: what they return for what they are given."""

import math

import pytest

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


@pytest.fixture
def module(site):
    """Return a function that calls what a module exports, in the page."""
    page = site.open("/login")

    def call(name, function, *arguments):
        address = page.evaluate("document.querySelector('script[type=module]').src").replace("main.js", name)
        return page.evaluate(
            "async ([address, name, args]) => (await import(address))[name](...args)",
            [address, function, list(arguments)],
        )

    return call


def test_numbers_fit_their_cells(module):
    expected = {
        0: "0",
        5.408: "5.41",
        94.75: "94.8",
        1240: "1240",
        48_300_000: "48.3 M",
        -0.5: "−0.5",
        2e-7: "2.0e−7",
        12_345: "12.3 k",
    }
    assert {number: module("lib/format.js", "short", number) for number in expected} == expected
    assert module("lib/format.js", "short", None) == "–"


def test_spans_are_told_in_two_units(module):
    expected = {
        0.38: "0.4 s",
        42: "42 s",
        600: "10 min",
        7500: "2 h 5 min",
        90_000: "25 h",
        200_000: "2 d 7 h",
        31_536_000: "365 d",
    }
    assert {seconds: module("lib/format.js", "span", seconds) for seconds in expected} == expected


def test_rarity_is_told_in_two_digits(module):
    expected = {3: "usual", 740: "1 in 740", 292_345: "1 in 290\u202f000"}
    assert {number: module("lib/format.js", "rarity", number) for number in expected} == expected
    assert module("lib/format.js", "rarity", None) == ""


def test_a_gap_breaks_the_line(module):
    series = {"time": [0, 60, 120, 900, 960], "columns": {"value": [1, 2, 3, 4, 5]}}
    broken = module("lib/columns.js", "withGaps", series, 210)
    assert broken == {"time": [0, 60, 120, 510, 900, 960], "columns": {"value": [1, 2, 3, None, 4, 5]}}
    assert module("lib/columns.js", "withGaps", series, 1000) == series


def test_times_of_addresses_are_read(module):
    expected = {
        "1773325560": 1773325560,
        "2026-03-12T14:26:00Z": 1773325560,
        "now": None,
        "nonsense": None,
        "": None,
    }
    assert {text: module("lib/windows.js", "readTime", text) for text in expected} == expected


def test_a_short_history_gets_a_short_window(module):
    expected = {1800: "1h", 5000: "3h", 80_000: None, 10**7: None}
    assert {seconds: module("lib/windows.js", "fittingWindow", seconds) for seconds in expected} == expected


def test_words_of_a_shell_are_quoted(module):
    assert module("views/setup/command.js", "quoted", "plain-word.csv") == "plain-word.csv"
    assert module("views/setup/command.js", "quoted", "it's; rm -rf") == "'it'\\''s; rm -rf'"


@pytest.mark.parametrize(
    ("direction", "value", "lowest"), [("down", 0, -8), ("pattern", 2, -8), ("up", 0, 0), ("down", 60, 0)]
)
def test_a_mark_at_zero_is_not_cut_off_at_the_edge_of_the_chart(site, direction, value, lowest):
    page = site.open("/login")
    room = page.evaluate(
        """async (alarm) => {
            const main = document.querySelector("script[type=module]").src;
            const { MetricChart } = await import(main.replace("main.js", "draw/chart.js"));
            return MetricChart.prototype.room.call({ alarms: [alarm], span: [0, 100] }, 0, 100);
        }""",
        {"time": 50, "value": value, "direction": direction},
    )
    assert room == [lowest, 108]


def test_sentences_begin_with_a_capital_but_names_stay_as_they_are(module):
    assert module("lib/words.js", "sentence", "began with a.b", "a.b") == "Began with a.b"
    assert module("lib/words.js", "sentence", "web.x rose", "web.x") == "web.x rose"


@pytest.mark.parametrize(("bridge", "ends"), [(0, [6, 26, 65]), (1, [25, 65]), (2, [25, 55, 65])])
def test_a_line_goes_on_over_cells_that_are_shorter_than_the_interval(site, bridge, ends):
    page = site.open("/login")
    address = page.evaluate("document.querySelector('script[type=module]').src").replace(
        "main.js", "draw/spark.js"
    )
    drawn = page.evaluate(
        """async ([address, bridge]) => {
            const { drawSpark } = await import(address);
            const canvas = document.createElement("canvas");
            const context = canvas.getContext("2d");
            const ends = [];
            context.lineTo = (x) => ends.push(x);
            const spark = { spark: [0, null, 100, null, null, 200, 255, null], bars: [], low: 0, high: 1, bridge };
            drawSpark(canvas, spark, null, 80, 40);
            return ends;
        }""",
        [address, bridge],
    )
    # Cells of ten pixels; what stands alone is a dash of one.
    assert drawn == ends


def test_a_metric_that_has_just_come_does_not_widen_the_window(module):
    def history(stored, interval, time):
        row = {"stored": stored, "interval": interval, "last": time and {"time": time}}
        return module("lib/windows.js", "historyOf", row, 10_000)

    assert history(100, 60, 9_990) == 6_000
    assert history(1, None, 9_400) == 600
    assert history(0, None, None) == 0
    assert math.isinf(history(50, None, 9_990))
