"""MVU and VVU on ECP5 primitives: the emitted Verilog with the models of sim/, clock by clock."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from reducerbench import case, mvu_groups, vvu_groups
from verilated import Case, first_mismatches

from hwgen.hw.mvu import MVU
from hwgen.hw.vvu import VVU
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5
from hwgen.weights.code import FORMS

INT8, UINT8 = Range(-128, 127), Range(0, 255)

# outputs, inputs, simd, pe, form, rom, activations, weights
MVUS = [
    (4, 6, 1, 2, "dsp", "bram", INT8, Range(-128, 127)),
    (4, 12, 3, 2, "dsp", "lut", Range(-255, 255), Range(-127, 127)),
    (4, 6, 1, 2, "dsp2", "bram", INT8, Range(-127, 127)),
    (4, 8, 2, 4, "dsp2", "lut", UINT8, Range(-128, 127)),
    (4, 16, 4, 2, "dsp2", "bram", INT8, Range(-8, 7)),
    (2, 16, 4, 2, "dsp2", "bram", Range(-255, 255), Range(-128, 127)),
    (4, 6, 1, 2, "lut", "bram", INT8, Range(-128, 127)),
    (4, 8, 4, 2, "lut", "lut", INT8, Range(-128, 127)),
    (2, 10, 5, 2, "lut", "generic", UINT8, Range(-8, 7)),
    (2, 8, 8, 2, "lut", "bram", Range(-255, 255), Range(-127, 127)),
    (8, 8, 2, 4, ("dsp2", "dsp2", "lut", "dsp"), "bram", INT8, Range(-127, 127)),
    (4, 8, 4, 2, "pair", "bram", INT8, Range(-128, 127)),
    (4, 6, 2, 4, "pair", "lut", UINT8, Range(-127, 127)),
    (2, 9, 9, 2, "pair", "lut", UINT8, Range(3, 127)),
    (2, 6, 3, 2, "pair_lut", "lut", INT8, Range(-128, 127)),
    (2, 12, 6, 2, "pair_lut", "bram", UINT8, Range(-128, 127)),
    (4, 4, 4, 2, "generic", "auto", INT8, Range(-128, 127)),
    (2, 4, 4, 2, "dsp2", "auto", INT8, Range(-127, 127)),  # one word for ever
]


# few and small: a carry cell is simulated gate by gate
PRIMITIVES = [
    (2, 4, 2, 1, "dsp", "bram", INT8, Range(-128, 127)),
    (2, 4, 1, 2, "dsp2", "lut", UINT8, Range(-127, 127)),
    (2, 4, 2, 2, "dsp2", "lut", INT8, Range(-8, 7)),
    (2, 6, 3, 1, "lut", "lut", INT8, Range(-128, 127)),
    (2, 4, 2, 2, "pair", "lut", UINT8, Range(-128, 127)),
    (2, 4, 2, 2, "pair_lut", "lut", INT8, Range(-8, 7)),
]


def integers(rng: np.random.Generator, values: Range, shape: tuple[int, int]) -> np.ndarray:
    """Rows of random values, every second one of the range's two ends only."""
    array = rng.integers(values.lo, values.hi + 1, shape)
    array[1::2] = rng.choice([values.lo, values.hi], array[1::2].shape)
    array[0, 0] = values.lo
    return array


def cases(rng: np.random.Generator, mvus: list[tuple]) -> dict[str, Case]:
    """A case for each configuration, half of them without gaps, and some VVUs."""
    result: dict[str, Case] = {}
    for outputs, inputs, simd, pe, form, rom, value, weight in mvus:
        weights = integers(rng, weight, (outputs, inputs))
        kinds = FORMS[form] if isinstance(form, str) else [FORMS[name] for name in form]
        dut = MVU(weights, simd=simd, pe=pe, value=value, form=kinds, rom=rom, target=ECP5)
        x = integers(rng, value, (60, inputs))
        name = f"mvu {outputs}x{inputs} {simd} {pe} {form} {rom} {value} {weight}"
        result[name] = case(dut, mvu_groups(dut, x), rng, gaps=float(rng.choice([0, 0.3])))
    for form in (("dsp", "dsp"), ("lut", "generic")):
        weights = integers(rng, INT8, (6, 4))
        kinds = [FORMS[name] for name in form]
        dut = VVU(weights, pe=2, value=INT8, form=kinds, rom="bram", target=ECP5)
        x = integers(rng, INT8, (20 * 6, 4)).reshape(20, 6, 4)
        result[f"vvu {form}"] = case(dut, vvu_groups(dut, x), rng)
    return result


@pytest.mark.sim
def test_sums_are_exact_in_emitted_verilog(tmp_path: Path) -> None:
    assert first_mismatches(cases(np.random.default_rng(7), MVUS), tmp_path) == {}


@pytest.mark.sim
def test_sums_are_exact_with_primitives_simulated(tmp_path: Path) -> None:
    found = first_mismatches(cases(np.random.default_rng(8), PRIMITIVES), tmp_path, "HWGEN_PRIMITIVES")
    assert found == {}
