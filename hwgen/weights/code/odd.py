"""Odd weights -(2**k - 1) .. 2**k - 1: what k-bit quantisers without a zero give, DoReFa-Net's among them.

Zhou et al., "DoReFa-Net: Training Low Bitwidth Convolutional Neural Networks with Low Bitwidth Gradients",
2016: w = 2 * round((2**k - 1) * v) / (2**k - 1) - 1 for v in 0 .. 1, here times 2**k - 1.
"""

from __future__ import annotations

from hwgen.hw.product.form import Levels
from hwgen.hw.product.planes import ThreeSignsForm, TwoSignsForm
from hwgen.hw.product.terms import Terms, TermsForm
from hwgen.numeric.ranges import Range
from hwgen.targets import Target
from hwgen.weights.terms import TermsCode

MAX_BITS = 4


class OddForm(TermsForm):
    """k bipolar weights, 2**k apart: w = sum of +-2**i, i < k; one plane less than two's complement has."""

    name = "odd"
    canonical = False

    @classmethod
    def split(cls, levels: Levels) -> dict[int, Terms]:
        bits = max(abs(level) for level in levels).bit_length()
        if bits > MAX_BITS or not all(level & 1 for level in levels):
            raise ValueError(
                f"odd: weights are odd and below {1 << MAX_BITS}, not {levels[0]} .. {levels[-1]}"
            )
        codes = {2 * code - (1 << bits) + 1: code for code in range(1 << bits)}
        return {w: tuple((2 * (code >> at & 1) - 1) << at for at in range(bits)) for w, code in codes.items()}

    @classmethod
    def suits(cls, levels: Levels, value: Range, simd: int, pe: int, target: Target) -> bool:
        return levels[-1] - levels[0] > 2 and super().suits(levels, value, simd, pe, target)


class Odd(TermsCode):
    """k bits, 1 for -2**i."""

    name = "odd"
    splits = OddForm
    forms = (OddForm, TwoSignsForm, ThreeSignsForm)
