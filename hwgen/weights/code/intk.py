"""Integers of 1 to 16 bits in two's complement, or without a sign where none is needed."""

from __future__ import annotations

import numpy as np

from hwgen.hw.product import DspForm, GenericForm, PackedForm, PairForm, PairRowsForm, RowsForm
from hwgen.hw.product.bits import BitsForm
from hwgen.hw.product.form import Levels, span
from hwgen.hw.product.halves import HalvesForm, HalvesOfLanesForm
from hwgen.hw.product.shift import ShiftForm
from hwgen.hw.product.xrows import ActivationRowsForm
from hwgen.weights.base import Code

MAX_BITS = 16


class IntK(Code):
    """w as its own binary number. Products in hard multipliers or in AND rows on carry chains; with
    activations that are powers of two, by shifting."""

    name = "intk"
    forms = (
        DspForm,
        PackedForm,
        HalvesForm,
        HalvesOfLanesForm,
        PairForm,
        RowsForm,
        ActivationRowsForm,
        BitsForm,
        PairRowsForm,
        GenericForm,
        ShiftForm,
    )

    def __init__(self, levels: Levels) -> None:
        super().__init__(levels)
        self.range = span(levels)
        if self.range.width > MAX_BITS:
            raise ValueError(f"intk: weights of {self.range} take more than {MAX_BITS} bits")

    @property
    def bits(self) -> int:
        return self.range.width

    def encode(self, weights: np.ndarray) -> np.ndarray:
        if np.min(weights) < self.range.lo or np.max(weights) > self.range.hi:
            raise ValueError(f"intk: weights of {self.range} were announced, not {np.asarray(weights)}")
        return np.asarray(weights, dtype=np.int64) & ((1 << self.bits) - 1)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        codes = np.asarray(codes, dtype=np.int64)
        return codes - ((codes >> (self.bits - 1)) << self.bits) if self.range.signed else codes

    def multiply(self, x: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Sum of x * 2**k over the bits that are set, the sign's taken off."""
        total = np.zeros(np.broadcast_shapes(np.shape(x), np.shape(codes)), dtype=np.int64)
        for k in range(self.bits):
            sign = -1 if self.range.signed and k == self.bits - 1 else 1
            total += sign * (((np.asarray(codes) >> k) & 1) * np.asarray(x, dtype=np.int64) << k)
        return total
