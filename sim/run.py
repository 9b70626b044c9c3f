"""Runs a test of sim/ in a built simulator: `python run.py BUILD_DIR TEST_DIR [--simulator S] [--seed N]`.

A process of its own, so that whoever waits for it can end it, and cocotb's environment stays out of
theirs. HWGEN_JOB tells the test what to do (bench_core.py).
"""

from __future__ import annotations

import argparse

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


if __name__ == "__main__":
    main()
