"""Runs the benches named on the command line, or all."""

from __future__ import annotations

import sys
from collections.abc import Callable

from bench import bnn, boards, codes, mlperf, mlperf_run, popcount, tool

BENCHES: dict[str, Callable[[], None]] = {
    "tool": tool.main,
    "mlperf": mlperf.main,
    "mlperf_run": mlperf_run.main,
    "codes": codes.main,
    "popcount": popcount.main,
    "bnn": bnn.main,
    "boards": boards.main,
}


#: Take options of their own: python -m bench codes --help
OPTIONS: dict[str, Callable[[list[str]], None]] = {
    "boards": boards.run,
    "codes": codes.run,
    "mlperf_run": mlperf_run.main,
    "popcount": popcount.run,
}


def main() -> None:
    words = sys.argv[1:]
    if len(words) > 1 and words[0] in OPTIONS and words[1].startswith("-"):
        return OPTIONS[words[0]](words[1:])
    names = words or list(BENCHES)
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        sys.exit(f"unknown bench {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    for name in names:
        print(f"\n== {name} ==", flush=True)
        BENCHES[name]()


main()
