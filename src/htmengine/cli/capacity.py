"""What `htmengine capacity` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from htmengine.cli.session import print_table
from htmengine.cli.terminal import echo_stderr, echo_stdout
from htmengine.readable import duration
from htmengine.service.capacity import (
    HEADROOM,
    LARGE_FLEET,
    Measured,
    need,
    promises,
    resident_mebibytes,
)

WORDS: Final = {"cpu": "processor and disk speed", "memory": "memory", "disk": "room on the disk"}


def document(measured: Measured) -> dict[str, Any]:
    """Return everything for JSON."""
    return {
        "measured": _camel(msgspec.to_builtins(measured)),
        "promises": [_camel(promise._asdict()) for promise in promises(measured)],
    }


def _camel(fields: Mapping[str, Any]) -> dict[str, Any]:
    names = {name: name.split("_") for name in fields}
    return {
        first + "".join(part.capitalize() for part in others): fields[name]
        for name, (first, *others) in names.items()
    }


def print_capacity(measured: Measured, resident_bytes: int) -> None:
    """Show a person what was measured, and what it promises. `resident_bytes`: as is configured, for models."""
    print_table(
        ("A sample every", "Metrics", "Limited by", "Days of history"),
        [
            (
                duration(promise.interval_s),
                f"{promise.metrics:,}",
                WORDS[promise.limit],
                f"{promise.history_days:,.0f}",
            )
            for promise in promises(measured)
        ],
    )
    of = "your metrics" if measured.real else "made-up metrics"
    written = measured.written_bytes_per_sample
    echo_stdout(
        f"Measured for {measured.seconds:.0f} s with {measured.metrics} of {of}: "
        f"{measured.samples_per_second:,.0f} samples a second at most, {measured.cpu_us_per_sample:.0f} µs of a processor"
        + (f" and {written:,.0f} bytes written for each" if written is not None else "")
        + f"; {measured.bytes_per_model / 1024:.0f} KiB of memory for a model, {measured.bytes_per_row:.0f} bytes of the disk "
        f"for a row, {measured.bytes_per_checkpoint / 1024:.0f} KiB for a checkpoint."
    )
    echo_stdout(
        f"Promised is {HEADROOM:.0%} of that rate, so that scores come without delay, divided by {LARGE_FLEET:g}, since a sample "
        "of a large fleet costs so much more; and what memory and disk had free."
    )
    most = max(promise.metrics for promise in promises(measured))
    packed, ready = (resident_mebibytes(size) for size in need(most))
    echo_stdout(
        f"For {most:,} models [engine] resident_mebibytes must be {ready:,}, or {packed:,} where those that are used least are "
        f"packed, which makes a sample of them several times as dear; it is {resident_bytes >> 20:,}."
    )
    if measured.beside_engine:
        echo_stderr("! An engine runs here: this is what it left. Stop it to measure the whole machine.")
