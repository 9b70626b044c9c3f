"""Weights -1 and 1: one bit, 1 for -1 (binary networks: BinaryConnect, BNN, XNOR-Net)."""

from __future__ import annotations

import numpy as np

from hwgen.hw.product.bipolar import BipolarForm
from hwgen.hw.product.decoded import decoded
from hwgen.hw.product.form import Levels
from hwgen.hw.product.planes import PlanesForm
from hwgen.hw.product.xnor import XnorForm
from hwgen.weights.base import Code


class Bipolar(Code):
    """w = 1 - 2 * code. A product passes its activation or negates it."""

    name = "bipolar"
    forms = (XnorForm, BipolarForm, PlanesForm, decoded(BipolarForm))

    def __init__(self, levels: Levels) -> None:
        super().__init__(levels)
        wrong = sorted(set(levels) - {-1, 1})
        if wrong:
            raise ValueError(f"bipolar: weights must be -1 or 1, not {', '.join(map(str, wrong))}")

    @property
    def bits(self) -> int:
        return 1

    def encode(self, weights: np.ndarray) -> np.ndarray:
        if not np.isin(weights, (-1, 1)).all():
            raise ValueError(f"bipolar: weights must be -1 or 1, not {np.asarray(weights)}")
        return (np.asarray(weights, dtype=np.int64) < 0).astype(np.int64)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        return 1 - 2 * np.asarray(codes, dtype=np.int64)

    def multiply(self, x: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """x, or -x as complement and carry."""
        x, codes = np.asarray(x, dtype=np.int64), np.asarray(codes, dtype=np.int64)
        return (x ^ -codes) + codes
