"""iCE40: estimates of products and adders against what synth_ice40 makes of them, in logic cells."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

sys.path.insert(0, str(Path(__file__).parents[1] / "targets"))

from test_ice40 import synthesised

from hwgen.hw import carry
from hwgen.hw.mvu import MVU, accumulator_range, reducer_cost
from hwgen.hw.product import DspForm, ProductForm, RowsForm
from hwgen.hw.product.halves import HalvesForm, HalvesOfLanesForm
from hwgen.numeric.ranges import Range
from hwgen.targets import ICE40, ICE40UP, Target

INT8 = Range(-128, 127)


class EveryAdder(wiring.Component):
    """All adders of hwgen.hw.carry between registers, on inputs of their own."""

    width = 16

    def __init__(self) -> None:
        ports = {f"y{number}": Out(self.width) for number in range(5)}
        super().__init__({"a": In(signed(16)), "b": In(signed(16)), "take": In(2), **ports})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = self.width
        for number in range(5):
            a, b, take = Signal(signed(width)), Signal(signed(width)), Signal(2)
            # registers of their own, which differ, or Yosys would share them
            m.d.sync += [a.eq(self.a + number), b.eq(self.b - number), take.eq(self.take ^ number)]
            match number:
                case 0:
                    total = carry.add(m, a, b, width, target=ICE40)
                case 1:
                    total = carry.subtract(m, a, b, width, target=ICE40)
                case 2:
                    total = carry.accumulate(m, a, b, take[0], width, target=ICE40)
                case 3:
                    total = carry.add_rows(m, a, take[0], b, take[1], width, target=ICE40)
                case _:
                    total = carry.subtract_rows(m, a, take[0], b, take[1], width, target=ICE40)
            m.d.sync += getattr(self, f"y{number}").eq(total)
        return m


@pytest.mark.synth
def test_adders(tmp_path: Path) -> None:
    """The carry takes its operands as they are: masked and inverted ones cost a LUT a bit more."""
    found, cells = synthesised(EveryAdder(), tmp_path)
    kinds = ("add", "subtract", "accumulate", "add_rows", "subtract_rows")
    adders = sum(ICE40.adder_luts(EveryAdder.width, kind) for kind in kinds)
    inputs = 8 * EveryAdder.width + 2 * EveryAdder.width + 10  # eight sums, two plain registers, ten masks
    assert abs(found.lut4 - inputs - adders) <= 20, (found, cells)


MVUS = [
    (DspForm, ICE40UP, 1, 1, Range(-127, 127)),
    (DspForm, ICE40UP, 4, 1, Range(-8, 7)),
    (HalvesForm, ICE40UP, 1, 2, Range(-127, 127)),
    (HalvesForm, ICE40UP, 4, 2, Range(-8, 7)),
    (HalvesOfLanesForm, ICE40UP, 4, 1, Range(-127, 127)),
    (HalvesOfLanesForm, ICE40UP, 2, 2, Range(-128, 127)),
    (RowsForm, ICE40, 1, 1, Range(-127, 127)),
    (RowsForm, ICE40UP, 4, 1, Range(-127, 127)),
    (RowsForm, ICE40, 4, 2, Range(-8, 7)),
]


@pytest.mark.synth
@pytest.mark.parametrize(("form", "target", "simd", "pe", "weight"), MVUS)
def test_mvu_estimate(
    form: type[ProductForm], target: Target, simd: int, pe: int, weight: Range, tmp_path: Path
) -> None:
    weights = np.random.default_rng(1).integers(weight.lo, weight.hi + 1, (16, 32))
    weights[0, :2] = weight.lo, weight.hi
    options: dict[str, Any] = {"simd": simd, "pe": pe, "form": form, "rom": "bram", "target": target}
    real, cells = synthesised(MVU(weights, value=INT8, **options), tmp_path)
    guess = target.occupied(
        reducer_cost(
            lanes=simd,
            depth=weights.size // (simd * pe),
            levels=tuple(np.unique(weights).tolist()),
            value=INT8,
            accumulator=accumulator_range(weights, INT8),
            **options,
        )
    )
    products = {DspForm: simd * pe, HalvesForm: simd * pe // 2, HalvesOfLanesForm: simd * pe // 2}
    assert cells["SB_MAC16"] == guess.dsp == products.get(form, 0)
    assert real.bram == guess.bram
    assert abs(guess.lut4 - real.lut4) <= 0.2 * real.lut4 + 15, (guess, real)
    assert abs(guess.ff - real.ff) <= 0.2 * real.ff + 15, (guess, real)
