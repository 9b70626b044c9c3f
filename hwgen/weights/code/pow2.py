"""Weights 0 and +-2**k: shift and add. {-2..2} and {-4, -2, -1, 0, 1, 2, 4} are the usual small sets.

Leng et al., "Extremely Low Bit Neural Network: Squeeze the Last Bit Out with ADMM", 2018; Miyashita, Lee,
Murmann, "Convolutional Neural Networks using Logarithmic Data Representation", 2016.
"""

from __future__ import annotations

from hwgen.hw.product.decoded import decoded
from hwgen.hw.product.form import Levels
from hwgen.hw.product.terms import Terms, TermsForm
from hwgen.numeric.ranges import Range
from hwgen.targets import Target
from hwgen.weights.terms import TermsCode

MAX_SHIFT = 15


class Pow2Form(TermsForm):
    """Each activation shifted by one multiplexer for every bit of k, the first of which also drops it;
    complemented in the slot that adds it; sums = W @ x + offset."""

    name = "pow2"

    @classmethod
    def split(cls, levels: Levels) -> dict[int, Terms]:
        for level in levels:
            if abs(level) & (abs(level) - 1) or abs(level) >> MAX_SHIFT > 1:
                raise ValueError(f"pow2: weights are 0 or +-2**k, k up to {MAX_SHIFT}, not {level}")
        return {level: (level,) for level in levels}

    @classmethod
    def suits(cls, levels: Levels, value: Range, simd: int, pe: int, target: Target) -> bool:
        smaller = set(levels) <= {-1, 0, 1}  # has forms of its own
        return not smaller and super().suits(levels, value, simd, pe, target)


class Pow2(TermsCode):
    """Bits of k less the least k, zero as a pattern that no k has or a bit of its own, and the sign."""

    name = "pow2"
    splits = Pow2Form
    forms = (Pow2Form, decoded(Pow2Form))
