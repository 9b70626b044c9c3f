"""Formal equality of combinational modules with Yosys' SAT solver."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from hwgen.flow import tools

#: Yosys' own models of the ECP5's cells, CCU2C and LUT4 among them.
YOSYS_CELLS = ("read_verilog -icells +/lattice/ccu2c_sim.vh", "read_verilog -icells +/lattice/common_sim.vh")


def unequal(pairs: Sequence[tuple[str, str]], reads: Sequence[str], folder: Path) -> list[tuple[str, str]]:
    """Those pairs of modules (equal ports, no registers) whose outputs can differ. reads: Yosys commands."""
    lines = [
        *reads,
        "setattr -mod -unset top *",
        "hierarchy -check",
        "proc",
        "setattr -mod -unset lib_whitebox -unset abc9_box -unset whitebox *",
        "flatten -wb",
    ]
    for number, (gold, gate) in enumerate(pairs):
        lines += [
            f"miter -equiv -make_outputs -flatten {gold} {gate} miter{number}",
            f"tee -q -o result{number}.log sat -prove trigger 0 miter{number}",
        ]
    (folder / "prove.ys").write_text("\n".join(lines))
    argv = [*tools.find("yosys").argv, "-s", "prove.ys"]
    ran = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=600)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    logs = [(folder / f"result{number}.log").read_text() for number in range(len(pairs))]
    return [pair for pair, log in zip(pairs, logs) if "no model found: SUCCESS!" not in log]
