"""Runs a test of sim/ in a built simulator: `python run.py BUILD_DIR TEST_DIR [--simulator S] [--seed N]`.

A process of its own, so that whoever waits for it can end it, and cocotb's environment stays out of
theirs. HWGEN_JOB tells the test what to do (bench_core.py). With --check, says what came out and ends
with status 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from cocotb_tools.runner import get_runner


def main() -> None:
    """Command line as above."""
    parser = argparse.ArgumentParser(description="run a built simulator under cocotb")
    parser.add_argument("build_dir")
    parser.add_argument("test_dir")
    parser.add_argument("--simulator", default="verilator", choices=("verilator", "icarus"))
    parser.add_argument("--module", default="bench_core")
    parser.add_argument("--top", default="bench")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    # Verilator: registers and RAMs without an initial value start at random, from the seed.
    arguments = ["+verilator+rand+reset+2", f"+verilator+seed+{options.seed}"]
    get_runner(options.simulator).test(
        options.module,
        options.top,
        hdl_toplevel_lang="verilog",
        build_dir=options.build_dir,
        test_dir=options.test_dir,
        seed=options.seed,
        test_args=arguments if options.simulator == "verilator" else [],
        timescale=("1ns", "1ps"),
    )
    if options.check:
        sys.exit(check(Path(os.environ["HWGEN_JOB"])))


def check(job: Path) -> int:
    """Print the verdict on a job; 0 if everything was equal."""
    wanted = json.loads(job.read_text())
    runs = json.loads((job.parent / wanted["result"]).read_text())["runs"]
    wrong = [
        f"{run['name']}, {stream['port']}: {what}"
        for run in runs
        for stream in run["streams"]
        for what in (stream["mismatch"], stream["error"])
        if what is not None
    ]
    wrong += [f"{run['name']}: stuck after {run['cycles']} clocks" for run in runs if run["stuck"]]
    wrong += [
        f"{run['name']}: too many words"
        for run in runs
        for s in run["streams"]
        if s["words"] > s["expected_words"]
    ]
    compared = sum(stream["compared"] for run in runs for stream in run["streams"])
    if not wrong and len(runs) < len(wanted["runs"]):
        wrong.append("the simulation ended too early")
    print(f"{len(runs)} runs, {compared} integers compared: " + (wrong[0] if wrong else "all equal"))
    return int(bool(wrong))


if __name__ == "__main__":
    main()
