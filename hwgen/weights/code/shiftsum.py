"""Weights that are sums of N powers of two, each from its own codebook of B bits (ShiftCNN).

Codebook n holds 0 and +-2**k for 2**(B - 1) - 1 neighbouring k, one less at the top than codebook n - 1.
Gudovskiy, Rigazio, "ShiftCNN: Generalized Low-Precision Architecture for Inference of Convolutional Neural
Networks", 2017.
"""

from __future__ import annotations

from functools import cache
from itertools import product

from hwgen.hw.product.form import Levels
from hwgen.hw.product.terms import Terms, TermsForm
from hwgen.numeric.ranges import Range
from hwgen.targets import Target
from hwgen.weights.terms import TermsCode

MAX_TERMS = 4
MAX_BITS = 4  # of a codebook
MAX_CODE = 8  # of a weight
MAX_WEIGHT = 1 << 15


class ShiftSumForm(TermsForm):
    """N shifted activations a product, one multiplexer for every bit of a shift; two's complements, the ones
    riding in the adders' carries."""

    name = "shiftsum"
    canonical = False

    @classmethod
    def split(cls, levels: Levels) -> dict[int, Terms]:
        return _fewest(levels)

    @classmethod
    def suits(cls, levels: Levels, value: Range, simd: int, pe: int, target: Target) -> bool:
        if not super().suits(levels, value, simd, pe, target):
            return False
        return len(cls.split(levels)[levels[0]]) > 1  # one term: pow2


class ShiftSum(TermsCode):
    """The codes of the N terms side by side, with the least N * B that holds the levels."""

    name = "shiftsum"
    splits = ShiftSumForm
    forms = (ShiftSumForm,)


@cache
def _fewest(levels: Levels) -> dict[int, Terms]:
    """The terms of every level from the fewest code bits; ValueError if no codebooks hold them all."""
    largest = max(abs(level) for level in levels)
    if largest <= MAX_WEIGHT:
        sizes = product(range(1, MAX_TERMS + 1), range(2, MAX_BITS + 1))
        for terms, bits in sorted(sizes, key=lambda size: (size[0] * size[1], size[0])):
            if terms * bits > MAX_CODE or (2**bits - 1) ** terms < len(levels):
                continue
            for top in (largest.bit_length() - 1, largest.bit_length()):
                sums = _sums(terms, bits, top)
                if all(level in sums for level in levels):
                    return {level: sums[level] for level in levels}
    raise ValueError(
        f"shiftsum: {len(levels)} weights from {levels[0]} to {levels[-1]} are not sums of at most "
        f"{MAX_TERMS} powers of two in {MAX_CODE} bits"
    )


@cache
def _sums(terms: int, bits: int, top: int) -> dict[int, Terms]:
    """All sums that these codebooks give, each as the fewest terms that are not 0, the fewest negative."""
    found: dict[int, Terms] = {0: ()}
    for number in range(terms):
        first = top - number
        powers = [1 << k for k in range(max(first - 2 ** (bits - 1) + 2, 0), first + 1)]
        book = [0, *powers, *(-power for power in powers)]
        following: dict[int, Terms] = {}
        for total, before in found.items():
            for value in book:
                now = (*before, value)
                held = following.get(total + value)
                if held is None or _effort(now) < _effort(held):
                    following[total + value] = now
        found = following
    return found


def _effort(terms: Terms) -> tuple[int, int]:
    return sum(term != 0 for term in terms), sum(term < 0 for term in terms)
