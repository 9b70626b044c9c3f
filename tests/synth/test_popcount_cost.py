"""LUT4 per binary operation after synthesis, and that estimates are what is synthesised."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_mvu_cost import assert_near, synthesised

from hwgen.emit.verilog import to_rtlil
from hwgen.flow import tools
from hwgen.hw.mvu import MVU, reducer_cost
from hwgen.hw.popcount import Popcount, popcount_cost
from hwgen.hw.popcount_matrix import ConstantXnorMatrix, matrix_cost
from hwgen.hw.product.xnor import XnorForm
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5, ICE40

BIT = Range(0, 1)


# lanes, matches, levels, most LUT4 per lane, most flip-flops per lane
RUN_TIME = [
    (64, False, 1, 1.65, 1.85),
    (64, True, 1, 1.75, 1.80),
    (256, False, 1, 1.62, 1.60),
    (256, False, 2, 1.62, 1.02),
]


@pytest.mark.synth
@pytest.mark.parametrize(("lanes", "matches", "levels", "luts", "registers"), RUN_TIME)
def test_popcount(
    lanes: int, matches: bool, levels: int, luts: float, registers: float, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"matches": matches, "levels": levels, "target": ECP5}
    real, _ = synthesised(Popcount(lanes, **options), tmp_path)
    assert real.lut4 <= luts * lanes
    assert real.ff <= registers * lanes
    assert real == popcount_cost(lanes, **options)


@pytest.mark.synth
@pytest.mark.parametrize(
    ("count", "rows", "most"), [(64, 16, 0.85), pytest.param(64, 64, 0.70, marks=pytest.mark.slow)]
)
def test_constant_matrix(count: int, rows: int, most: float, tmp_path: Path) -> None:
    weights = np.random.default_rng(5).choice([-1, 1], (rows, count))
    real, _ = synthesised(ConstantXnorMatrix(weights, target=ECP5), tmp_path)
    assert real.lut4 <= most * rows * count
    assert_near(matrix_cost(weights, target=ECP5), real)


@pytest.mark.synth
@pytest.mark.parametrize(("simd", "pe"), [(64, 4), (15, 2)])
def test_xnor_layer(simd: int, pe: int, tmp_path: Path) -> None:
    weights = np.random.default_rng(6).choice([-1, 1], (8, 2 * simd))
    dut = MVU(weights, simd=simd, pe=pe, value=BIT, form=XnorForm, rom="bram", target=ECP5)
    real, cells = synthesised(dut, tmp_path)
    estimate = reducer_cost(
        form=XnorForm,
        simd=simd,
        pe=pe,
        lanes=simd,
        depth=weights.size // simd // pe,
        levels=(-1, 1),
        value=BIT,
        accumulator=dut.accumulator,
        rom="bram",
        target=ECP5,
    )
    assert_near(estimate, real)
    assert not Counter(cell["type"] for cell in cells)["MULT18X18D"]


@pytest.mark.synth
@pytest.mark.parametrize("lanes", [64, 256])
def test_popcount_on_ice40(lanes: int, tmp_path: Path) -> None:
    """One LUT and at most one carry in each cell; a bit that starts a chain takes a carry of its own."""
    unit = Popcount(lanes, matches=False, levels=9, target=ICE40)
    (tmp_path / "dut.il").write_text(to_rtlil(unit, "dut"))
    (tmp_path / "run.ys").write_text("read_rtlil dut.il\nsynth_ice40 -top dut -json dut.json\n")
    argv = [*tools.find("yosys").argv, "-s", "run.ys"]
    subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    cells = json.loads((tmp_path / "dut.json").read_text())["modules"]["dut"]["cells"].values()
    kinds = Counter(cell["type"] for cell in cells)
    assert kinds["SB_LUT4"] <= 2.3 * lanes
    assert kinds["SB_CARRY"] >= lanes
