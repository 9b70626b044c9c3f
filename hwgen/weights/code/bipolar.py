"""Weights -1 and +1: binary weight networks (BinaryConnect, BWN), binary networks' first layers.

Courbariaux, Bengio, David, "BinaryConnect", 2015; Rastegari et al., "XNOR-Net", 2016.
"""

from __future__ import annotations

from hwgen.hw.product.form import Levels
from hwgen.hw.product.terms import Terms, TermsForm
from hwgen.weights.terms import TermsCode


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


class Bipolar(TermsCode):
    """One bit: 1 for -1."""

    name = "bipolar"
    splits = BipolarForm
    forms = (BipolarForm,)
