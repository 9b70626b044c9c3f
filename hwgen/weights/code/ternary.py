"""Weights -1, 0 and +1: ternary weight networks, and ternary networks throughout.

Li, Zhang, Liu, "Ternary Weight Networks", 2016; Alemdar et al., "Ternary Neural Networks for
Resource-Efficient AI Applications", 2017. Two scales (Zhu et al., "Trained Ternary Quantization"): ttq.py.
"""

from __future__ import annotations

from hwgen.hw.product.decoded import decoded
from hwgen.hw.product.form import Levels
from hwgen.hw.product.terms import Terms, TermsForm
from hwgen.numeric.ranges import Range
from hwgen.targets import Target
from hwgen.weights.terms import TermsCode


class TernaryForm(TermsForm):
    """Each activation passed, complemented or dropped: of two lanes one in its own LUTs, the other inside the
    slot that adds them; sums = W @ x + offset."""

    name = "ternary"

    @classmethod
    def split(cls, levels: Levels) -> dict[int, Terms]:
        if not set(levels) <= {-1, 0, 1}:
            other = next(level for level in levels if abs(level) > 1)
            raise ValueError(f"ternary: weights are -1, 0 and 1, not {other}")
        return {level: (level,) for level in levels}

    @classmethod
    def suits(cls, levels: Levels, value: Range, simd: int, pe: int, target: Target) -> bool:
        return super().suits(levels, value, simd, pe, target) and 0 in levels


class Ternary(TermsCode):
    """Two bits: 1 for a weight that is not 0, then 1 for -1."""

    name = "ternary"
    splits = TernaryForm
    forms = (TernaryForm, decoded(TernaryForm))
