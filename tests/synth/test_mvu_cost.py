"""Cost estimates against what Yosys makes of the same units, and the primitives meant to be there."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwgen.emit.verilog import to_rtlil
from hwgen.flow import netlist, tools
from hwgen.hw.mvu import MVU, reducer_cost
from hwgen.hw.rom import Rom, rom_cost
from hwgen.hw.vvu import VVU
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5
from hwgen.targets.resources import Resources
from hwgen.weights.code import FORMS

INT8 = Range(-128, 127)


def synthesised(component: Any, folder: Path) -> tuple[Resources, list[dict[str, Any]]]:
    """Resources and cells after the synthesis that hwgen runs."""
    (folder / "dut.il").write_text(to_rtlil(component, "dut"))
    script = "read_rtlil dut.il\nrename -unescape w:* x:* %d\nsynth_ecp5 -nowidelut -top dut -json dut.json\n"
    (folder / "run.ys").write_text(script)
    argv = [*tools.find("yosys").argv, "-s", "run.ys"]
    subprocess.run(argv, cwd=folder, check=True, capture_output=True, timeout=600)
    cells = list(json.loads((folder / "dut.json").read_text())["modules"]["dut"]["cells"].values())
    return Resources(**netlist.count(cell["type"] for cell in cells)), cells


def assert_near(estimate: Resources, real: Resources) -> None:
    """Within a tenth and 15 cells; multipliers and block RAMs exactly."""
    assert (estimate.dsp, estimate.bram) == (real.dsp, real.bram)
    for name in ("lut4", "ff"):
        guess, truth = getattr(estimate, name), getattr(real, name)
        assert abs(guess - truth) <= 0.1 * truth + 15, f"{name}: {guess} estimated, {truth} in fact"


# form, simd, pe, rom, weights, most LUT4 sites
MVUS = [
    ("dsp", 4, 4, "bram", Range(-127, 127), 320),
    ("dsp2", 4, 4, "bram", Range(-127, 127), 560),
    ("dsp2", 4, 2, "bram", Range(-8, 7), 140),
    ("lut", 4, 2, "bram", Range(-127, 127), 760),
    ("lut", 1, 2, "bram", Range(-127, 127), 220),
    ("pair", 4, 8, "bram", Range(-127, 127), 800),
    ("pair_lut", 4, 4, "bram", Range(-127, 127), 1300),
]


@pytest.mark.synth
@pytest.mark.parametrize(("form", "simd", "pe", "rom", "weight", "most"), MVUS)
def test_mvu_estimate(
    form: str, simd: int, pe: int, rom: str, weight: Range, most: int, tmp_path: Path
) -> None:
    weights = np.random.default_rng(1).integers(weight.lo, weight.hi + 1, (16, 32))
    weights[0, :2] = weight.lo, weight.hi
    options: dict[str, Any] = {
        "simd": simd,
        "pe": pe,
        "value": INT8,
        "form": FORMS[form],
        "rom": rom,
        "target": ECP5,
    }
    dut = MVU(weights, **options)
    real, cells = synthesised(dut, tmp_path)
    depth = weights.size // (simd * pe)
    levels = (weight.lo, weight.hi)
    assert_near(
        reducer_cost(**options, lanes=simd, depth=depth, levels=levels, accumulator=dut.accumulator), real
    )
    assert real.lut4 <= most
    kinds = Counter(cell["type"] for cell in cells)
    products = {"dsp": simd * pe, "dsp2": simd * pe // 2, "pair": simd * (pe + 1) // 2}.get(form, 0)
    assert kinds["MULT18X18D"] == products
    for cell in cells:
        if cell["type"] == "MULT18X18D":
            for register in ("INPUTA", "INPUTB", "OUTPUT"):
                assert cell["parameters"][f"REG_{register}_CLK"] == "CLK0"
        if cell["type"] == "DP16KD":
            assert cell["parameters"]["REGMODE_A"] == "OUTREG"


@pytest.mark.synth
@pytest.mark.parametrize("form", ["dsp", "lut"])
def test_vvu_estimate(form: str, tmp_path: Path) -> None:
    weights = np.random.default_rng(2).integers(-127, 128, (9, 16))
    weights[0, :2] = -127, 127
    options: dict[str, Any] = {"pe": 4, "value": INT8, "form": FORMS[form], "rom": "bram", "target": ECP5}
    dut = VVU(weights, **options)
    real, _ = synthesised(dut, tmp_path)
    levels = (-127, 127)
    estimate = reducer_cost(**options, simd=1, lanes=4, depth=36, levels=levels, accumulator=dut.accumulator)
    assert_near(estimate, real)


@pytest.mark.synth
@pytest.mark.parametrize("depth", [16, 64])
def test_lut_rom_estimate(depth: int, tmp_path: Path) -> None:
    bits = np.random.default_rng(3).integers(0, 2, (depth, 40), dtype=np.uint8)
    real, _ = synthesised(Rom(bits, form="lut", target=ECP5), tmp_path)
    luts, blocks = rom_cost(40, depth, ECP5, "lut")
    assert real.bram == blocks == 0
    assert abs(luts - real.lut4) <= 0.1 * real.lut4
