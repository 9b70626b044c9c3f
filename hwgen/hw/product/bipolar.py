"""Weights -1 and +1 times integers: passed or complemented."""

from __future__ import annotations

from hwgen.hw.product.form import Levels
from hwgen.hw.product.terms import Terms, TermsForm


class BipolarForm(TermsForm):
    """Each activation passed or complemented inside the slot that adds it; sums = W @ x + offset.

    ECP5: one slot for a bit of two products, all LUTs of the first level being carry slots.
    """

    name = "bipolar"

    @classmethod
    def split(cls, levels: Levels) -> dict[int, Terms]:
        if not set(levels) <= {-1, 1}:
            other = next(level for level in levels if abs(level) != 1)
            raise ValueError(f"bipolar: weights are -1 and 1, not {other}")
        return {-1: (-1,), 1: (1,)}
