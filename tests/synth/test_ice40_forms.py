"""iCE40: every product form's estimate and every few-bit staircase's against synthesis, in logic cells.

A lone flip-flop takes a whole cell, a masked operand of an adder a LUT a bit. All units are synthesised in
one run.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from together import resources

from hwgen.hw.mvu import MVU, reducer_cost
from hwgen.hw.product.form import Levels
from hwgen.hw.staircase import StaircaseUnit
from hwgen.numeric.ranges import Range
from hwgen.targets import ICE40UP
from hwgen.targets.resources import Resources
from hwgen.weights.code import FORMS

sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("hw", "numeric")]
from test_staircase import tflite
from test_staircase_bits import bits

INT8, UINT8, UINT2, BIT = Range(-128, 127), Range(0, 255), Range(0, 3), Range(0, 1)
BIPOLAR, TERNARY, UP_TO_4 = (-1, 1), (-1, 0, 1), (-4, -2, -1, 0, 1, 2, 4)
INT4 = tuple(range(-8, 8))

# form, levels, activations, simd, pe; most logic cells
MVUS: list[tuple[str, Levels, Range, int, int, int]] = [
    ("xnor", BIPOLAR, BIT, 64, 2, 540),
    ("bipolar", BIPOLAR, UINT8, 4, 2, 280),
    ("planes", BIPOLAR, UINT2, 16, 2, 305),
    ("ternary", TERNARY, UINT8, 8, 2, 515),
    ("ternary", TERNARY, INT8, 1, 2, 100),
    ("ternary_packed", TERNARY, UINT2, 7, 2, 225),
    ("pow2", UP_TO_4, INT8, 4, 2, 505),
    ("ttq", (-3, 0, 5), UINT8, 4, 2, 595),
    ("odd", (-3, -1, 1, 3), UINT2, 8, 2, 330),
    ("lookup", tuple(range(-4, 4)), UINT2, 8, 2, 375),
    ("lut_x", INT4, UINT2, 8, 2, 445),
    ("bits", tuple(range(-2, 2)), UINT2, 16, 2, 515),
    ("planes2", (-3, -1, 1, 3), UINT2, 16, 2, 505),
    ("planes3", (-7, -5, -3, -1, 1, 3, 5, 7), UINT2, 16, 2, 675),
    ("shiftsum", (-3, -2, -1, 0, 1, 2, 3), INT8, 8, 2, 875),
    ("pair_lut", INT4, INT8, 4, 2, 1460),
]
# levels, channels, lanes, reach, form; most logic cells
STAIRCASES: list[tuple[str, int, int, int, str, int]] = [
    ("1", 128, 8, 1 << 11, "comparators", 350),
    ("1", 8, 8, 1 << 15, "comparators", 60),
    ("1", 256, 1, 1000, "comparators", 70),
    ("ternary", 32, 4, 1 << 11, "comparators", 305),
    ("2", 64, 2, 1 << 11, "comparators", 475),
    ("2", 64, 2, 1 << 11, "search", 475),
    ("3", 32, 1, 1 << 11, "search", 345),
    ("4", 64, 1, 1 << 15, "search", 405),
    ("4", 16, 4, 1 << 9, "search", 810),
    ("log2", 32, 2, 1 << 12, "search", 430),
]
# channels, lowest scale (log2); most logic cells
LINES: list[tuple[int, float, int]] = [(12, -8.5, 390), (64, -11.0, 420)]


def units() -> dict[str, tuple[Any, Resources, int]]:
    """Component, estimate and bound of every case."""
    found: dict[str, tuple[Any, Resources, int]] = {}
    rng = np.random.default_rng(1)
    for form, levels, value, simd, pe, most in MVUS:
        weights = rng.permuted(np.resize(levels, (4 * simd, 8 * pe)), axis=1).T
        options: dict[str, Any] = {
            "simd": simd,
            "pe": pe,
            "value": value,
            "form": FORMS[form],
            "rom": "bram",
            "target": ICE40UP,
        }
        dut = MVU(weights, **options)
        depth = weights.size // (simd * pe)
        cost = reducer_cost(**options, lanes=simd, depth=depth, levels=levels, accumulator=dut.accumulator)
        found[f"{form}_{simd}x{pe}"] = dut, ICE40UP.occupied(cost), most
    for kind, channels, lanes, reach, form, most in STAIRCASES:
        value = Range(-reach, reach - 1)
        stair = bits(channels, kind, value, beyond=0)
        unit = StaircaseUnit(stair, lanes=lanes, channels=channels, value=value, target=ICE40UP, form=form)
        found[f"stairs_{kind}_{form}_{channels}_{lanes}"] = unit, ICE40UP.occupied(unit.cost), most
    for rows, low, most in LINES:
        stair, bias = tflite(rows, zero_point=-128, low=low)
        value = stair.input_range
        unit = StaircaseUnit(
            stair, lanes=1, channels=rows, value=value, target=ICE40UP, split_at=-bias, form="linear"
        )
        found[f"linear_{rows}"] = unit, ICE40UP.occupied(unit.cost), most
    return found


NAMES = [f"{form}_{simd}x{pe}" for form, _, _, simd, pe, _ in MVUS]
NAMES += [f"stairs_{kind}_{form}_{channels}_{lanes}" for kind, channels, lanes, _, form, _ in STAIRCASES]
NAMES += [f"linear_{rows}" for rows, _, _ in LINES]


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Resources, Resources, int]]:
    """Estimate, what it is, and its bound."""
    made = units()
    parts = {name: unit for name, (unit, _, _) in made.items()}
    real = resources(parts, "ice40up", tmp_path_factory.mktemp("ice40_forms"))
    return {name: (guess, real[name], most) for name, (_, guess, most) in made.items()}


@pytest.mark.synth
@pytest.mark.parametrize("name", NAMES)
def test_estimate(name: str, costs: dict[str, tuple[Resources, Resources, int]]) -> None:
    guess, found, most = costs[name]
    assert (guess.bram, guess.dsp) == (found.bram, found.dsp)
    for resource in ("lut4", "ff"):
        estimate, truth = getattr(guess, resource), getattr(found, resource)
        assert abs(estimate - truth) <= 0.15 * truth + 15, (guess, found)
    assert found.lut4 <= most
