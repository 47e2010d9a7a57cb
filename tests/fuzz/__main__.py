"""Feed a parser with bytes that a fuzzer makes, for a while; atheris follows which of them reach new code.

Minutes are of processor time, so that a busy machine tries as many inputs as an idle one.

    pip install atheris
    python -m tests.fuzz --minutes 1
    python -m tests.fuzz influx files --minutes 10 --findings findings

A finding is an error that is not the parser's own, an input that takes more than five seconds of the processor, or
more memory than the limits of a request allow. Its input is kept in the folder of findings. Exits with 1 if there is any.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any, Final

SLOW_S: Final = 5
"""Of processor time, for one input."""
HANGS_AFTER_S: Final = 60
"""Of the clock: a machine that has other things to do, or stands still for a while, is no fault of a parser."""
CHILD: Final = "child"
MEMORY_MB: Final = 1024
"""Of the whole process, of which libraries and the fuzzer itself take a quarter."""
_RUNS: Final = re.compile(r"Done (\d+) runs|#(\d+)\s")
_COVERED: Final = re.compile(r"ft: (\d+)")


def main(argv: Sequence[str] | None = None) -> int:
    """Fuzz the parsers that are named, one after the other, and print a line for each."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parsers", nargs="*", metavar="PARSER", help="all, unless some are named")
    parser.add_argument("--minutes", type=float, default=10.0, help="of processor time, for each")
    parser.add_argument("--findings", type=Path, default=Path("findings"), help="folder of the inputs found")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    from tests.fuzz.parsers import PARSERS

    if unknown := set(options.parsers) - PARSERS.keys():
        parser.error(f"{', '.join(sorted(unknown))} not known; known are {', '.join(PARSERS)}")
    found = False
    for name in options.parsers or PARSERS:
        result = fuzz(name, PARSERS[name], options.minutes, options.findings, options.seed)
        found = found or bool(result["findings"])
        if options.json:
            print(json.dumps(result), flush=True)
        else:
            said = "; ".join(result["findings"]) or "no finding"
            print(f"{name:20} {result['executions']:>10,} executions  {said}", flush=True)
    return int(found)


def fuzz(name: str, parser: Any, minutes: float, findings: Path, seed: int) -> dict[str, Any]:
    """Fuzz a parser in a process of its own, until there is a finding or the time is over."""
    findings.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        for number, example in enumerate(parser.examples):
            (Path(corpus) / f"example{number}").write_bytes(example)
        command = [
            *(sys.executable, "-m", "tests.fuzz", CHILD, name, str(minutes), corpus),
            f"-timeout={HANGS_AFTER_S}",
            f"-rss_limit_mb={MEMORY_MB}",
            f"-max_len={parser.longest}",
            f"-artifact_prefix={findings}/{name}-",
            f"-seed={seed}",
            "-print_final_stats=1",
        ]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
        )
    said = done.stdout + done.stderr
    runs = [int(one or other) for one, other in _RUNS.findall(said)]
    covered = [int(one) for one in _COVERED.findall(said)]
    found = re.findall(r"Test unit written to (\S+)", said)
    if done.returncode and not found:
        found = [said[-2000:]]
    (findings / f"{name}.log").write_text(said)
    return {
        "parser": name,
        "executions": max(runs, default=0),
        "features": max(covered, default=0),
        "findings": found,
    }


def _work(name: str, minutes: str, *arguments: str) -> None:
    """Fuzz in this process; the fuzzer ends it, after the input at hand when it is told to by a signal."""
    import atheris

    from tests.fuzz.parsers import PARSERS

    # Not while they are imported: the fuzzer does not follow modules of an editable installation.
    for one in gc.get_objects():
        if isinstance(one, FunctionType) and (one.__module__ or "").startswith("htmengine."):
            atheris.instrument_func(one)
    parser = PARSERS[name]
    for example in parser.examples:
        parser.work(example)
    atheris.Setup([sys.argv[0], *arguments], _timed(parser.work))
    signal.signal(signal.SIGPROF, lambda *_: os.kill(os.getpid(), signal.SIGUSR1))
    signal.setitimer(signal.ITIMER_PROF, 60 * float(minutes))
    atheris.Fuzz()


def _timed(work: Callable[[bytes], None]) -> Callable[[bytes], None]:
    def timed(data: bytes) -> None:
        began = time.process_time()
        work(data)
        took_s = time.process_time() - began
        assert took_s <= SLOW_S, f"the parser takes {took_s:.1f} s of the processor"

    return timed


if __name__ == "__main__":
    if sys.argv[1:2] == [CHILD]:
        _work(*sys.argv[2:])
    sys.exit(main())
