"""Weights -1 and 1 times activations 0 and 1 by counting: XNOR-popcount."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from amaranth.hdl import Cat, Module, Signal, Value

from hwgen.hw.popcount import add_popcount, popcount_cost, popcount_latency
from hwgen.hw.product.form import Levels, ProductForm, Sum, register
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5, Target
from hwgen.targets.resources import Resources

BIT = Range(0, 1)


class XnorForm(ProductForm):
    """popcount(xnor(w > 0, u)) = sum_l w_l * u_l + #(w < 0) for w in {-1, 1} and u in {0, 1}.

    u is a bipolar activation x = 2 u - 1, or one of the values 0 and 1 themselves: the layer decides what
    steps follow. A weight is one ROM bit, 1 for -1, so that the popcount sees u xor w and needs no inverter.
    A last lane whose count would need a wider adder rides on the accumulator's carry instead.
    Latency: the levels of the popcount, a register behind each. ECP5: about 1.6 LUT4 a lane.
    """

    name = "xnor"

    def __init__(self, weights: np.ndarray, *, value: Range, target: Target) -> None:
        super().__init__(weights, value=value, target=target)
        wrong = sorted(set(np.unique(self.weights).tolist()) - {-1, 1})
        if wrong:
            raise ValueError(f"xnor: weights must be -1 or 1, not {', '.join(map(str, wrong))}")
        if value != BIT:
            raise ValueError(f"xnor: activations must be 0 or 1, not {value.lo}..{value.hi}")
        self.counted = _counted(self.simd, target)

    @classmethod
    def suits(cls, levels: Levels, value: Range, simd: int, pe: int, target: Target) -> bool:
        return value == BIT and set(levels) <= {-1, 1}

    @classmethod
    def code_bits(cls, simd: int, levels: Levels, value: Range) -> int:
        return simd

    @classmethod
    def cost(
        cls, simd: int, levels: Levels, value: Range, accumulator: Range, *, target: Target = ECP5
    ) -> Resources:
        counted, width = _counted(simd, target), accumulator.width
        total = Resources(lut4=target.adder_luts(width, "accumulate"), ff=width)
        if simd > counted:
            total += Resources(lut4=1, ff=popcount_latency(counted, matches=False, target=target))
        return total + popcount_cost(counted, matches=False, target=target)

    @classmethod
    def offset(cls, weights: np.ndarray, value: Range) -> np.ndarray:
        return (np.asarray(weights) < 0).sum(axis=-1)

    @property
    def latency(self) -> int:
        return popcount_latency(self.counted, matches=False, target=self.target)

    @property
    def word_bits(self) -> int:
        return self.simd

    def encode(self, weights: np.ndarray) -> np.ndarray:
        return (weights[0] < 0).astype(np.uint8)

    def build(self, m: Module, lanes: Sequence[Value], word: Value) -> list[Sum]:
        count = Signal(self.counted.bit_length())
        own = slice(0, self.counted)
        add_popcount(m, Cat(*lanes[own]), word[own], count, matches=False, target=self.target)
        late: Value | int = 0
        if self.simd > self.counted:
            late = lanes[-1] ^ word[self.simd - 1]
            for _ in range(self.latency):
                late = register(m, late, name="late")
        return [Sum(count, late)]


@cache
def _counted(simd: int, target: Target) -> int:
    """Lanes of the popcount: all, or all but one if that is cheaper."""
    if simd == 1:
        return 1
    if not target.instances and not target.name.startswith("ice40"):
        target = ECP5  # the generic form has its structure, and so its latency
    whole, rest = (popcount_cost(lanes, matches=False, target=target).lut4 for lanes in (simd, simd - 1))
    return simd - 1 if rest + 1 < whole else simd
