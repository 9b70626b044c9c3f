"""What the codes share whose weights are sums of terms 0 or +-2**k (hw/product/terms.py)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hwgen.hw.product.form import Levels
from hwgen.hw.product.terms import TermsForm, digits_of, write
from hwgen.weights.base import Code


class TermsCode(Code):
    """Codes of the terms side by side, the first one's lowest. splits: the form whose `split` finds them."""

    splits: ClassVar[type[TermsForm]]

    def __init__(self, levels: Levels) -> None:
        super().__init__(levels)
        self.table = self.splits.split(levels)
        self.digits = digits_of(self.table)

    @property
    def bits(self) -> int:
        return sum(digit.bits for digit in self.digits)

    def encode(self, weights: np.ndarray) -> np.ndarray:
        known = np.isin(weights, self.levels)
        if not known.all():
            raise ValueError(f"{self.name}: no code for {np.asarray(weights)[~known].flat[0]}")
        bits = write(np.asarray(weights), self.table, self.digits).astype(np.int64)
        return (bits << np.arange(self.bits)).sum(axis=-1)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        return self.multiply(np.ones((), dtype=np.int64), codes)

    def multiply(self, x: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Sum over the terms of x shifted, negated, or nothing."""
        codes, x = np.asarray(codes, dtype=np.int64), np.asarray(x, dtype=np.int64)
        total = np.zeros(np.broadcast_shapes(x.shape, codes.shape), dtype=np.int64)
        for digit in self.digits:
            select = codes & ((1 << len(digit.steps)) - 1)
            shift = sum((select >> at & 1) << step for at, step in enumerate(digit.steps)) + digit.shifts[0]
            term = x << shift
            if digit.negative:
                term = np.where(codes >> (digit.bits - 1) & 1, -term, term)
            if digit.zero:
                nothing = codes >> len(digit.steps) & 1 == 0 if digit.own_zero else select == digit.free
                term = np.where(nothing, 0, term)
            total += term
            codes = codes >> digit.bits
        return total
