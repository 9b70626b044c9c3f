"""Weights -1, 0 and +1: ternary weight networks, and ternary networks throughout.

Li, Zhang, Liu, "Ternary Weight Networks", 2016; Alemdar et al., "Ternary Neural Networks for
Resource-Efficient AI Applications", 2017. Two scales (Zhu et al., "Trained Ternary Quantization"): ttq.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import C, Cat, Module, Mux, Value

from hwgen.hw.product.decoded import decoded
from hwgen.hw.product.form import Levels, Sum, bits_of, register
from hwgen.hw.product.terms import Terms, TermsForm
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5, Target
from hwgen.targets.resources import Resources
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


#: Codes of a weight's three values, as `Digit` writes them: not 0, then negative.
_CODES = {0: 0b00, 1: 0b01, -1: 0b11}
#: All pairs of values but the last have a number of three bits.
_PAIRS = [(a, b) for a in (0, 1, -1) for b in (0, 1, -1)]


class PackedTernaryForm(TernaryForm):
    """The same with three weights in five bits of ROM instead of six; a register behind the decoder.

    Bits 0 and 1: the third weight's code; bits 2 to 4: the number of the first two. Where these are both -1,
    which has no number, bits 0 and 1 are the code that no weight has, and bits 2 and 3 the third weight's.
    """

    name = "ternary_packed"

    def __init__(self, weights: np.ndarray, *, value: Range, target: Target) -> None:
        super().__init__(weights, value=value, target=target)
        if self.lane_bits != 2:
            raise ValueError(f"{self.name}: weights must take all three values")

    @classmethod
    def suits(cls, levels: Levels, value: Range, simd: int, pe: int, target: Target) -> bool:
        return simd > 2 and levels == (-1, 0, 1) and super().suits(levels, value, simd, pe, target)

    @classmethod
    def code_bits(cls, simd: int, levels: Levels, value: Range) -> int:
        return simd // 3 * 5 + simd % 3 * 2

    @classmethod
    def cost(
        cls, simd: int, levels: Levels, value: Range, accumulator: Range, *, target: Target = ECP5
    ) -> Resources:
        decoder = Resources(lut4=simd // 3 * 7, ff=simd // 3 * 6) + target.delay(simd % 3 * 2)
        return decoder + super().cost(simd, levels, value, accumulator, target=target)

    @classmethod
    def shared_cost(cls, simd: int, value: Range, accumulator: Range, *, target: Target = ECP5) -> Resources:
        return target.delay(simd * value.width)

    @property
    def latency(self) -> int:
        return 1 + super().latency

    @property
    def word_bits(self) -> int:
        return self.code_bits(self.simd, (-1, 0, 1), self.value)

    def encode(self, weights: np.ndarray) -> np.ndarray:
        third = self.simd // 3 * 3
        codes = np.vectorize(_CODES.__getitem__, otypes=[np.int64])(weights[0])
        a, b, c = (codes[:, at:third:3] for at in range(3))
        number = np.zeros(4 * 4, dtype=np.int64)
        number[[_CODES[a] * 4 + _CODES[b] for a, b in _PAIRS]] = np.arange(len(_PAIRS))
        pair = number[a * 4 + b]
        packed = np.where(pair < 8, c | pair << 2, 0b10 | c << 2)
        words = bits_of(packed, 5).reshape(len(codes), -1)
        return np.concatenate([words, bits_of(codes[:, third:], 2).reshape(len(codes), -1)], axis=1)

    def build(self, m: Module, lanes: Sequence[Value], word: Value) -> list[Sum]:
        codes: list[Value] = []
        for at in range(0, self.simd // 3 * 5, 5):
            low, high = word[at : at + 2], word[at + 2 : at + 5]
            both = low == 0b10
            for place in range(2):
                tables = [
                    sum((_CODES[p[place]] >> bit & 1) << n for n, p in enumerate(_PAIRS[:8]))
                    for bit in (0, 1)
                ]
                codes.append(Cat(C(table, 8).bit_select(high, 1) | both for table in tables))
            codes.append(Mux(both, high[:2], low))
        codes.append(word[self.simd // 3 * 5 :])
        held = [register(m, x, self.value, "x") for x in lanes]
        return super().build(m, held, register(m, Cat(codes), name="codes"))


class Ternary(TermsCode):
    """Two bits: 1 for a weight that is not 0, then 1 for -1."""

    name = "ternary"
    splits = TernaryForm
    forms = (TernaryForm, PackedTernaryForm, decoded(TernaryForm))
