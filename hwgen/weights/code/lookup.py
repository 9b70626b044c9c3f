"""Few weight values by number: products of small integers straight from truth tables.

A product's bits are functions of the bits of x and of the weight's number, one LUT4 each where these are four
bits together: any values whatever, two's complement or not. For the small grids of low-bit networks
(Zhou et al., "DoReFa-Net", 2016: 1 to 4 bits each side).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from amaranth.hdl import C, Cat, Module, Value

from hwgen.hw.product.form import (
    Levels,
    ProductForm,
    Sum,
    Term,
    bits_of,
    product_bounds,
    register,
    sum_tree,
    tree_cost,
    tree_depth,
)
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5, Target
from hwgen.targets.resources import Resources
from hwgen.weights.base import Code

MAX_INPUTS = 6  # of a truth table
MAX_BITS = 8  # of a code

#: LUT4s of a function by the number of its inputs; those of a multiplication share some.
_LUTS = {0: 0, 1: 0, 2: 1, 3: 1, 4: 1, 5: 2.5, 6: 4}


class LookupForm(ProductForm):
    """sum_l w_l * x_l with every product looked up. Latency: 1 + log2(simd)."""

    name = "lookup"

    def __init__(self, weights: np.ndarray, *, value: Range, target: Target) -> None:
        super().__init__(weights, value=value, target=target)
        self.levels: Levels = tuple(np.unique(self.weights).tolist())
        if value.width + _width(self.levels) > MAX_INPUTS:
            raise ValueError(f"lookup: {value} times {len(self.levels)} weights take too large a table")
        self.tables = _tables(self.levels, value)
        self.product = Range(*_ends(self.levels, value))

    @classmethod
    def suits(cls, levels: Levels, value: Range, simd: int, pe: int, target: Target) -> bool:
        return len(levels) > 1 and value.width + _width(levels) <= MAX_INPUTS

    @classmethod
    def code_bits(cls, simd: int, levels: Levels, value: Range) -> int:
        return simd * _width(levels)

    @classmethod
    def cost(
        cls, simd: int, levels: Levels, value: Range, accumulator: Range, *, target: Target = ECP5
    ) -> Resources:
        sums = target.adder_luts(accumulator.width, "accumulate")
        product = Range(*_ends(levels, value)).width
        inputs = value.width + _width(levels)
        luts = sum(_LUTS[_support(table, inputs)] for table in set(_tables(levels, value)))
        total = Resources(lut4=sums + round(simd * luts), ff=accumulator.width + simd * product)
        return total + tree_cost(simd, product, target)

    @property
    def latency(self) -> int:
        return 1 + tree_depth(self.simd)

    @property
    def word_bits(self) -> int:
        return self.simd * _width(self.levels)

    def encode(self, weights: np.ndarray) -> np.ndarray:
        codes = bits_of(np.searchsorted(self.levels, weights[0]), _width(self.levels))
        return codes.reshape(weights.shape[1], -1)

    def build(self, m: Module, lanes: Sequence[Value], word: Value) -> list[Sum]:
        bits, terms = _width(self.levels), []
        for lane, x in enumerate(lanes):
            index = Cat(x, word[lane * bits : (lane + 1) * bits])
            product = Cat(C(table, 1 << len(index)).bit_select(index, 1) for table in self.tables)
            bounds = product_bounds(self.weights[0, :, lane], self.value)
            terms.append(Term(register(m, product, self.product, "product"), *bounds))
        root, _ = sum_tree(m, terms, target=self.target)
        return [Sum(root.value)]


class Lookup(Code):
    """The weight's number among the levels, in ascending order."""

    name = "lookup"
    forms = (LookupForm,)

    def __init__(self, levels: Levels) -> None:
        super().__init__(levels)
        if self.bits > MAX_BITS:
            raise ValueError(f"lookup: {len(levels)} values take more than {MAX_BITS} bits")

    @property
    def bits(self) -> int:
        return _width(self.levels)

    def encode(self, weights: np.ndarray) -> np.ndarray:
        if not np.isin(weights, self.levels).all():
            raise ValueError(f"lookup: weights must be among {self.levels}, not {np.asarray(weights)}")
        return np.searchsorted(self.levels, weights)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        return np.array(self.levels, dtype=np.int64)[codes]

    def multiply(self, x: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Looked up in a table of all products."""
        x = np.asarray(x, dtype=np.int64)
        least = x.min()
        table = np.multiply.outer(np.arange(least, x.max() + 1), np.array(self.levels))
        return table[x - least, codes]


def _width(levels: Levels) -> int:
    """Bits of a level's number."""
    return max(1, (len(levels) - 1).bit_length())


def _ends(levels: Levels, value: Range) -> tuple[int, int]:
    ends = [level * x for level in (levels[0], levels[-1]) for x in (value.lo, value.hi)]
    return min(ends), max(ends)


@cache
def _tables(levels: Levels, value: Range) -> tuple[int, ...]:
    """Truth table of each product bit over (bits of x, bits of the level's number), x in the low bits.

    Patterns that do not occur repeat the nearest level's, and of x whatever its bits say.
    """
    patterns = np.arange(1 << value.width)
    if value.signed:
        patterns = patterns - ((patterns >> (value.width - 1)) << value.width)
    numbers = np.minimum(np.arange(1 << _width(levels)), len(levels) - 1)
    products = np.array(levels)[numbers][:, None] * patterns
    rows = bits_of(products.reshape(-1), Range(*_ends(levels, value)).width).T
    return tuple(sum(int(bit) << at for at, bit in enumerate(row)) for row in rows)


@cache
def _support(table: int, inputs: int) -> int:
    """Number of inputs that a truth table depends on."""
    rows = np.array([table >> at & 1 for at in range(1 << inputs)])
    at = np.arange(1 << inputs)
    return sum(bool((rows != rows[at ^ (1 << number)]).any()) for number in range(inputs))
