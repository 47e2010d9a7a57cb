"""Draws the pictures of docs/explanation/detection.md.

python tools/draw_detection.py docs/explanation
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from htmengine.htm import params
from htmengine.htm.arrays import FloatArray
from htmengine.htm.explanation import ALARM, Explanation
from htmengine.htm.model import Model

_DAY = 288  # samples, one every five minutes
_DAYS = 21
_STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "0.92",
}
_CHANNELS = {
    "sequence": ("sequence",),
    "jump": ("jump",),
    "extreme": ("extreme",),
    "deviation": ("distance", "error", "offset", "unrest"),
}
_COLOURS = dict(zip(_CHANNELS, ("tab:blue", "tab:green", "tab:purple", "tab:orange"), strict=True))


def request_rate() -> tuple[FloatArray, FloatArray]:
    """Return three weeks of a daily wave; in the last days a spike, an afternoon at night and a new level."""
    places = np.arange(_DAYS * _DAY)
    times = 1_700_006_400.0 + 300.0 * places
    noise = np.random.default_rng(11).normal(0.0, 3.0, len(places))
    values = 100.0 + 30.0 * np.sin(2 * np.pi * (places / _DAY - 0.375)) + noise
    values[18 * _DAY + 100] += 50.0
    values[19 * _DAY + 10 : 19 * _DAY + 40] += 55.0
    values[20 * _DAY + 60 :] += 60.0
    return times, values


def explained() -> list[Explanation]:
    """Return the explanations of all samples."""
    model = Model(params.parameter_set("default"))
    _, why = model.score_and_explain(*request_rate(), threshold=-1.0)
    return [why[place] for place in sorted(why)]


def draw_score(why: Sequence[Explanation], path: Path) -> None:
    """Draw how the score of the last four days comes about, from the value down to the score."""
    shown = why[17 * _DAY :]
    days = 17 + np.arange(len(shown)) / _DAY
    figure, (value, raw, channels, score) = plt.subplots(
        4, sharex=True, figsize=(8.0, 7.6), height_ratios=(3, 1, 2, 2), layout="constrained"
    )
    usual = np.array([explanation.usual for explanation in shown])
    value.fill_between(days, *usual.T, color="tab:orange", alpha=0.3, lw=0, label="usual: 99 of 100 values")
    value.plot(days, [explanation.value for explanation in shown], color="0.2", lw=0.7)
    value.set_ylabel("value")
    value.legend(loc="upper left", frameon=False)
    raw.plot(days, [e.scores.raw_anomaly_score for e in shown], color=_COLOURS["sequence"], lw=0.5)
    raw.set_ylabel("raw score")
    for channel, causes in _CHANNELS.items():
        strengths = [max(e.strengths[cause] for cause in causes) for e in shown]
        channels.plot(days, strengths, color=_COLOURS[channel], lw=0.9, label=channel)
    channels.axhline(ALARM, color="0.6", lw=0.8, ls=":")
    channels.set_ylabel("channels")
    channels.legend(loc="lower left", bbox_to_anchor=(0.0, 0.98), ncols=4, frameon=False)
    logs = np.array([e.scores.log_score for e in shown])
    score.plot(days, logs, color="0.2", lw=0.7)
    score.axhline(ALARM, color="0.6", lw=0.8, ls=":")
    alarms = np.flatnonzero(logs >= ALARM)
    score.plot(days[alarms], logs[alarms], "o", color="tab:red", ms=4)
    for place, following in zip(alarms, [*alarms[1:], len(shown) + _DAY], strict=True):
        if following - place > _DAY // 4:  # the last of close ones has room for its name
            score.annotate(f" {shown[place].cause}", (days[place], logs[place]), color="tab:red", va="bottom")
    score.set_ylabel("log score")
    score.set_xlabel("day")
    for axes in (raw, channels, score):
        axes.set_ylim(0.0, 1.05)
    save(figure, path)


def draw_expectation(why: Sequence[Explanation], path: Path) -> None:
    """Draw what the memory foresaw over two days, and what came."""
    shown = why[18 * _DAY : 20 * _DAY]
    days = 18 + np.arange(len(shown)) / _DAY
    low = min(bucket.low for e in shown for bucket in e.expected)
    high = max(bucket.high for e in shown for bucket in e.expected)
    width = shown[0].expected[0].high - shown[0].expected[0].low
    picture = np.zeros((round((high - low) / width), len(shown)))
    for column, explanation in enumerate(shown):
        for bucket in explanation.expected:
            picture[min(int((bucket.low + width / 2 - low) / width), len(picture) - 1), column] = (
                bucket.foreseen
            )
    figure, axes = plt.subplots(figsize=(8.0, 3.2), layout="constrained")
    image = axes.imshow(
        picture,
        origin="lower",
        aspect="auto",
        extent=(days[0], days[-1], low, high),
        cmap="Blues",
        vmin=0.0,
        vmax=1.0,
        interpolation="nearest",
    )
    axes.plot(days, [e.value for e in shown], color="tab:red", lw=0.7)
    axes.grid(visible=False)
    axes.set_xlabel("day")
    axes.set_ylabel("value")
    figure.colorbar(image, label="foreseen")
    save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Write a figure with few colours, as a small file."""
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=100)
    plt.close(figure)
    Image.open(drawn).convert("RGB").quantize(200, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the pictures go")
    folder: Path = parser.parse_args().folder
    why = explained()
    with mpl.rc_context(_STYLE):
        draw_score(why, folder / "detection-score.png")
        draw_expectation(why, folder / "detection-expectation.png")


if __name__ == "__main__":
    main()
