"""What the parts of the systolic engine take of a chip; docstrings have the speed of each, routed alone."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from together import resources

from hwgen.hw.systolic.accumulators import Accumulators
from hwgen.hw.systolic.array import SystolicArray
from hwgen.hw.systolic.quantiser import Quantiser
from hwgen.program.array import UP5K
from hwgen.targets import ECP5, ICE40UP


@pytest.mark.synth
def test_ultraplus(tmp_path: Path) -> None:
    """4x4 on all eight multipliers: sums of the first two rows, active weights and products are in them.

    Routed (nextpnr 0.11, seed 1): array 62 MHz (SB_MAC16 itself: 50), accumulators 48, quantiser 37.
    """
    parts = {kind.__name__.lower(): kind(geometry=UP5K, target=ICE40UP)
             for kind in (SystolicArray, Accumulators, Quantiser)}  # fmt: skip
    found = resources(parts, "ice40up", tmp_path)
    array, sums, quantiser = found["systolicarray"], found["accumulators"], found["quantiser"]
    assert (array.dsp, array.bram) == (8, 0)
    assert array.lut4 <= 470, array
    assert (sums.dsp, sums.bram) == (0, 12)
    assert sums.lut4 <= 530, sums
    assert (quantiser.dsp, quantiser.bram) == (0, 4)
    assert quantiser.lut4 <= 1220, quantiser


@pytest.mark.synth
def test_ecp5(tmp_path: Path) -> None:
    """A row of multipliers and three of carry chains; a quantiser of four multipliers.

    Routed for an LFE5U-85F-6 (nextpnr 0.11, seed 1): 8x8 array with four rows of either kind 202 MHz,
    accumulators of eight columns with the register 150, a quantiser 134.
    """
    geometry = replace(UP5K, maximum=True)
    array = SystolicArray(geometry=geometry, target=ECP5, multipliers=4)
    parts = {
        "array": array,
        "accumulators": Accumulators(geometry=geometry, target=ECP5, read_latency=2),
        "quantiser": Quantiser(geometry=geometry, target=ECP5),
    }
    found = resources(parts, "ecp5", tmp_path)
    assert array.hard_rows == 1 and found["array"].dsp == 4
    assert found["array"].lut4 <= 12 * 110 + 400, found["array"]
    assert found["accumulators"].bram == 6
    assert found["accumulators"].lut4 <= 900, found["accumulators"]
    assert found["quantiser"].dsp == 4
    assert found["quantiser"].lut4 <= 700, found["quantiser"]
