"""Cost of activations and additions: estimates against Yosys, and the marks they must stay below."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from test_mvu_cost import assert_near, synthesised

from hwgen.hw.addunit import AddUnit
from hwgen.hw.staircase import StaircaseUnit
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5

sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("hw", "numeric")]
from test_fit_add import tflite_add
from test_staircase import few_steps, tflite

# rows, zero point, lowest scale (log2), lanes, form; most LUT4 sites, multipliers, block RAMs
UNITS = {
    "kws: relu, 64 channels": (64, -128, -8.5, 1, "linear", 115, 2, 2),
    "tables in LUTs, four lanes": (64, -128, -8.5, 4, "linear", 640, 8, 0),
    "mirrored rounding": (12, 14, -8.5, 1, "linear", 180, 2, 0),
    "19-bit operand": (16, 4, -11, 1, "linear", 240, 2, 0),
}


@pytest.mark.synth
@pytest.mark.parametrize("name", UNITS)
def test_linear(name: str, tmp_path: Path) -> None:
    rows, zero_point, low, lanes, form, most, dsp, bram = UNITS[name]
    stair, bias = tflite(rows, zero_point=zero_point, low=low)
    unit = StaircaseUnit(
        stair, lanes=lanes, channels=rows, value=stair.input_range, target=ECP5, split_at=-bias, form=form
    )
    real, cells = synthesised(unit, tmp_path)
    assert_near(unit.cost, real)
    assert real.lut4 <= most and (real.dsp, real.bram) == (dsp, bram)
    for cell in cells:  # both registers of every multiplier are used, or it would stop at 150 MHz
        if cell["type"] == "MULT18X18D":
            assert cell["parameters"]["REG_INPUTA_CLK"] == cell["parameters"]["REG_OUTPUT_CLK"] == "CLK0"


@pytest.mark.synth
@pytest.mark.parametrize(
    ("form", "steps", "most"), [("comparators", 1, 50), ("comparators", 3, 110), ("search", 15, 260)]
)
def test_few_steps(form: str, steps: int, most: int, tmp_path: Path) -> None:
    stair = few_steps(16, steps, 2)
    unit = StaircaseUnit(stair, lanes=1, channels=16, value=Range(-2000, 2100), target=ECP5, form=form)
    real, _ = synthesised(unit, tmp_path)
    assert real.lut4 <= most and real.dsp == 0
    assert abs(unit.cost.lut4 - real.lut4) <= 0.25 * real.lut4 + 20


@pytest.mark.synth
def test_addition(tmp_path: Path) -> None:
    int8 = Range(-128, 127)
    add = tflite_add((0.03127, 0.05281, 0.07019), (3, -5, 4))
    unit = AddUnit(*add, a=int8, b=int8, lanes=1, target=ECP5)
    real, _ = synthesised(unit, tmp_path)
    assert unit.form == "linear" and real.lut4 <= 260 and real.dsp == 0
    assert abs(unit.cost.lut4 - real.lut4) <= 0.15 * real.lut4 + 15
