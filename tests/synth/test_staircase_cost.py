"""Cost of activations and additions: estimates against Yosys, and the marks they must stay below."""

from __future__ import annotations

import sys
from pathlib import Path
from time import process_time

import pytest
from test_mvu_cost import assert_near, synthesised

from hwgen.hw.addunit import AddUnit
from hwgen.hw.staircase import StaircaseUnit, plan_staircase
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5

sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("hw", "numeric")]
from test_fit_add import tflite_add
from test_staircase import few_steps, tflite
from test_staircase_bits import bits

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
    ("form", "steps", "most"), [("comparators", 1, 45), ("comparators", 3, 100), ("search", 15, 175)]
)
def test_few_steps(form: str, steps: int, most: int, tmp_path: Path) -> None:
    stair = few_steps(16, steps, 2)
    unit = StaircaseUnit(stair, lanes=1, channels=16, value=Range(-2000, 2100), target=ECP5, form=form)
    real, _ = synthesised(unit, tmp_path)
    assert real.lut4 <= most and real.dsp == 0
    assert abs(unit.cost.lut4 - real.lut4) <= 0.25 * real.lut4 + 20


# levels, channels, lanes, range, form; most LUT4 sites a lane with its share of the table, block RAMs
FEW_BITS = {
    "1 bit of 16": ("1", 128, 8, 1 << 15, "comparators", 36, 0),
    "1 bit of 16, constants": ("1", 8, 8, 1 << 15, "comparators", 6.5, 0),
    "1 bit of 11, 1024 channels, one lane": ("1", 1024, 1, 1000, "comparators", 25, 1),
    "1 bit of 11, 512 channels, 32 lanes": ("1", 512, 32, 1000, "comparators", 25, 0),
    "2 bits of 16, block RAM": ("2", 128, 4, 1 << 15, "search", 39, 6),
    "2 bits of 16, constants": ("2", 4, 4, 1 << 15, "comparators", 19, 0),
    "4 bits of 16, block RAM": ("4", 128, 1, 1 << 15, "search", 83, 4),
    "4 bits of 16, constants": ("4", 4, 4, 1 << 15, "comparators", 80, 0),
    "log2 levels of 13": ("log2", 32, 2, 1 << 12, "search", 84, 2),
}


@pytest.mark.synth
@pytest.mark.parametrize("name", FEW_BITS)
def test_few_bits(name: str, tmp_path: Path) -> None:
    levels, channels, lanes, reach, form, most, bram = FEW_BITS[name]
    value = Range(-reach, reach - 1)
    unit = StaircaseUnit(
        bits(channels, levels, value, beyond=0),
        lanes=lanes,
        channels=channels,
        value=value,
        target=ECP5,
        form=form,
    )
    real, _ = synthesised(unit, tmp_path)
    assert_near(unit.cost, real)
    assert real.lut4 <= most * lanes and (real.dsp, real.bram) == (0, bram)


def test_plans_of_many_channels_are_instant() -> None:
    """A layer's planner asks for each of its foldings: 1024 channels of one bit, 128 of two."""
    for levels, channels in (("1", 1024), ("2", 128)):
        value = Range(-1000, 1000)
        stair = bits(channels, levels, value)
        start = process_time()
        for lanes in (1, 2, 4, 8, 16, 32, 64, 128):
            plan_staircase(stair, lanes=lanes, channels=channels, value=value, target=ECP5)
        assert process_time() - start < 3


@pytest.mark.synth
def test_addition(tmp_path: Path) -> None:
    int8 = Range(-128, 127)
    add = tflite_add((0.03127, 0.05281, 0.07019), (3, -5, 4))
    unit = AddUnit(*add, a=int8, b=int8, lanes=1, target=ECP5)
    real, _ = synthesised(unit, tmp_path)
    assert unit.form == "linear" and real.lut4 <= 260 and real.dsp == 0
    assert abs(unit.cost.lut4 - real.lut4) <= 0.15 * real.lut4 + 15
