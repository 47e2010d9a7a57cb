"""What each ingredient of the default model is worth: it is left out, or left alone, and all files are scored again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.baselines import BASELINES
from benchmarks.detectors import Detector, ModelDetector
from benchmarks.nab.corpus import Profile, Series
from benchmarks.nab.report import measure
from benchmarks.summary import Report

_CHANNELS = ("sequence", "jump", "extreme", "deviation")


def variants() -> dict[str, Detector]:
    """Return the detectors to compare, by what is different; the first is the model as it is."""
    from htmengine.htm import params

    without: dict[str, Detector] = {
        f"without {name}": ModelDetector("default", changes={"channels": _others(name)}) for name in _CHANNELS
    }
    alone: dict[str, Detector] = {
        f"{name} alone": ModelDetector("default", changes={"channels": (name,)}) for name in _CHANNELS
    }
    value_alone = params.HashEncoder(value_bits=20, daytime_bits=0)
    return {
        "all": ModelDetector("default"),
        **without,
        **alone,
        "memory without time of day": ModelDetector("default", changes={"encoder": value_alone}),
        "without damping": ModelDetector("default", changes={"combination": params.Combination(damping=1.0)}),
        "memory without likelihood": ModelDetector("default", score="raw_anomaly_score"),
        "range rule": BASELINES["range-rule"],
    }


def compare(
    series: Sequence[Series],
    profiles: Mapping[str, Profile],
    seeds: Sequence[int],
    *,
    jobs: int | None = None,
) -> dict[str, Report]:
    """Return what `measure` says of each variant."""
    return {name: measure(one, series, profiles, seeds, jobs=jobs) for name, one in variants().items()}


def as_table(reports: Mapping[str, Report]) -> str:
    """Return the comparison as a table in Markdown: means over seeds, deviations behind the standard score."""
    head = (
        "",
        "standard",
        "low FP",
        "low FN",
        "A",
        "B",
        "B@A",
        "fixed threshold",
        "false alarms / 1000",
        "windows",
    )
    rows = [head, tuple("---" for _ in head)]
    for name, report in reports.items():
        score = _Means(report)
        halves = _Means(report["halves"])
        rows.append(
            (
                name,
                f"{score['standard']:.1f} ± {score.deviation('standard'):.1f}",
                f"{score['reward_low_FP_rate']:.1f}",
                f"{score['reward_low_FN_rate']:.1f}",
                *(f"{halves[half]:.1f}" for half in ("A", "B", "B_at_A")),
                f"{score['untuned_standard']:.1f}",
                f"{score['false_alarms_per_1000']:.2f}",
                f"{100 * score['detected_windows']:.0f} %",
            )
        )
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _others(name: str) -> tuple[str, ...]:
    return tuple(one for one in _CHANNELS if one != name)


class _Means:
    """The numbers of a report over several runs."""

    def __init__(self, report: object) -> None:
        assert isinstance(report, dict)
        self._report = report

    def __getitem__(self, name: str) -> float:
        return float(self._report[name]["mean"])

    def deviation(self, name: str) -> float:
        return float(self._report[name]["sd"])
