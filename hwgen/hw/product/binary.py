"""Forms that read weights from the ROM as the binary numbers they are."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Value

from hwgen.hw.product.form import Levels, ProductForm, bits_of, range_of, span
from hwgen.numeric.ranges import Range
from hwgen.targets import Target


class BinaryWeights(ProductForm):
    """A word holds every weight in the bits of `weight`, their range: all lanes of the first output, lowest
    first, then those of the second. Two's complement, or plain bits where no weight is negative.
    """

    def __init__(self, weights: np.ndarray, *, value: Range, target: Target) -> None:
        super().__init__(weights, value=value, target=target)
        self.weight = range_of(self.weights, self.weights)

    @classmethod
    def code_bits(cls, simd: int, levels: Levels, value: Range) -> int:
        return cls.outputs * simd * span(levels).width

    @property
    def word_bits(self) -> int:
        return self.outputs * self.simd * self.weight.width

    def encode(self, weights: np.ndarray) -> np.ndarray:
        bits = bits_of(weights, self.weight.width)
        return bits.swapaxes(0, 1).reshape(weights.shape[1], -1)

    def decoded(self, word: Value) -> list[list[Value]]:
        """Weights in a word, for each output lane by lane."""
        width = self.weight.width
        codes = [word[at : at + width] for at in range(0, self.word_bits, width)]
        codes = [code.as_signed() for code in codes] if self.weight.signed else codes
        return [codes[at : at + self.simd] for at in range(0, len(codes), self.simd)]
