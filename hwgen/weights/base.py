"""What a weight code is.

A code is a set of values and a way to write them in bits. Hardware for its products comes as product forms
(hw/product/form.py); a form reads the coded bits of a ROM word and knows nothing of other codes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from hwgen.hw.product import ProductForm
from hwgen.hw.product.form import Levels, bits_of


class Code(ABC):
    """Weights of the values `levels`, in `bits` bits each.

    The constructor takes the sorted distinct values of a layer and raises ValueError if the code cannot hold
    them. encode and decode are inverse: decode(encode(w)) == w for every w in `levels`.
    """

    name: ClassVar[str]
    forms: ClassVar[tuple[type[ProductForm], ...]]

    def __init__(self, levels: Levels) -> None:
        self.levels = levels

    @classmethod
    def holds(cls, levels: Levels) -> bool:
        """Whether the code can write these values."""
        try:
            cls(levels)
        except ValueError:
            return False
        return True

    @property
    @abstractmethod
    def bits(self) -> int:
        """Bits of one weight."""

    @abstractmethod
    def encode(self, weights: np.ndarray) -> np.ndarray:
        """Codes, 0 .. 2**bits - 1, of integer weights."""

    @abstractmethod
    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Integer weights of codes."""

    @abstractmethod
    def multiply(self, x: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """x * decode(codes) the way the hardware makes it: golden model of the product."""

    def pack(self, weights: np.ndarray) -> np.ndarray:
        """Bits of the codes, lowest first, along the last axis: (..., n) weights to (..., n * bits)."""
        codes = bits_of(self.encode(weights), self.bits)
        return codes.reshape(*codes.shape[:-2], -1)
