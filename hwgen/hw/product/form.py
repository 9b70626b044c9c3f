"""What a product form is, and the pieces that forms share: terms with ranges and the pipelined adder tree.

A form computes, every clock, the dot product of `simd` activations with `simd` constant weights taken from a
ROM word, for one or two outputs. It owns how weights are coded in that word.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from amaranth.hdl import Module, Signal, Value

from hwgen.hw import carry
from hwgen.hw.stream import shape_of
from hwgen.numeric.codes import Coded, reach
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5, Target
from hwgen.targets.resources import Resources


@dataclass(frozen=True)
class Sum:
    """A dot product as `value` + `carry`; the carry rides free into the accumulator's chain."""

    value: Value
    carry: Value | int = 0


#: Sorted distinct values of a layer's weights.
Levels = tuple[int, ...]


class ProductForm(ABC):
    """Dot products of `simd` lanes in one way of multiplying.

    weights: every weight word that any unit of this form will meet, (outputs, words, simd); widths come from
    them. value: range of the activations. Raises ValueError where the ranges do not fit the form.

    A form may be off by a constant for each output (`offset`), which layers take back in their activation's
    steps, and by a value that depends on the activations alone (`build_shared`), which is computed once for
    all outputs: sums = weights @ x + offset + shared.
    """

    name: ClassVar[str]
    outputs: ClassVar[int] = 1
    #: what serves a lone output where `outputs` is 2
    single: ClassVar[type[ProductForm] | None] = None
    #: whether `build_shared` is to be taken off the sums
    shared: ClassVar[bool] = False
    #: whether activations carry codes (numeric/codes.py), which `translated` turns into what lanes get
    coded: ClassVar[bool] = False

    def __init__(self, weights: np.ndarray, *, value: Range, target: Target) -> None:
        self.weights = np.asarray(weights, dtype=np.int64)
        if self.weights.ndim != 3 or self.weights.shape[0] != self.outputs:
            raise ValueError(f"{self.name}: weights must be ({self.outputs}, words, simd)")
        if isinstance(value, Coded) != self.coded:
            raise ValueError(f"{self.name}: activations {'must' if self.coded else 'must not'} carry codes")
        self.simd = self.weights.shape[2]
        self.value = value
        self.target = target

    @classmethod
    def suits(cls, levels: Levels, value: Range, simd: int, pe: int, target: Target) -> bool:
        """Whether a layer with these weights and this folding may use the form."""
        return pe >= cls.outputs

    @classmethod
    @abstractmethod
    def cost(
        cls, simd: int, levels: Levels, value: Range, accumulator: Range, *, target: Target = ECP5
    ) -> Resources:
        """Estimate for one unit with its accumulators, from the values alone."""

    @classmethod
    def shared_cost(cls, simd: int, value: Range, accumulator: Range, *, target: Target = ECP5) -> Resources:
        """Estimate of what all units share."""
        return Resources()

    @property
    def lane(self) -> Range:
        """Range of what `build` gets for each activation."""
        return self.value

    def translated(self) -> np.ndarray:
        """What `build` gets for each code; for forms with `coded`, whose units share the translation."""
        raise AssertionError(f"{self.name} takes no codes")

    @property
    @abstractmethod
    def latency(self) -> int:
        """Clocks from a word of activations and weights to its sums."""

    @classmethod
    @abstractmethod
    def code_bits(cls, simd: int, levels: Levels, value: Range) -> int:
        """ROM bits that one unit reads a clock; `word_bits` of a form whose weights take all of `levels`."""

    @property
    @abstractmethod
    def word_bits(self) -> int:
        """ROM bits that one unit reads a clock."""

    @abstractmethod
    def encode(self, weights: np.ndarray) -> np.ndarray:
        """ROM bits, (words, word_bits), of weights (outputs, words, simd) within the constructor's range."""

    @abstractmethod
    def build(self, m: Module, lanes: Sequence[Value], word: Value) -> list[Sum]:
        """Add the hardware to `m`; the sums of `outputs` dot products, `latency` clocks later."""

    @classmethod
    def offset(cls, weights: np.ndarray, value: Range) -> np.ndarray:
        """What a word's sums are off by, (outputs, words), for weights (outputs, words, simd)."""
        return np.zeros(np.shape(weights)[:2], dtype=np.int64)

    def build_shared(self, m: Module, lanes: Sequence[Value]) -> Value:
        """What the sums of all units are off by, `latency` clocks after the lanes."""
        raise AssertionError(f"{self.name} shares nothing")


def span(levels: Levels) -> Range:
    """Smallest range that holds all levels."""
    return Range(levels[0], levels[-1])


def bits_of(values: np.ndarray, width: int) -> np.ndarray:
    """Two's complement bits of an integer array, lowest first, along a new last axis."""
    return ((values[..., None] >> np.arange(width)) & 1).astype(np.uint8)


def range_of(low: np.ndarray, high: np.ndarray) -> Range:
    """Smallest range that holds all intervals."""
    return Range(int(low.min()), int(high.max()))


def product_bounds(weights: np.ndarray, value: Range) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest `w * x` over x in `value`, for each weight."""
    values = reach(value)
    ends = weights * values.lo, weights * values.hi
    return np.minimum(*ends), np.maximum(*ends)


def register(m: Module, value: Value, shape: Range | None = None, name: str = "held") -> Signal:
    """`value` one clock later, without reset; `shape` reinterprets its bits as that range's shape."""
    result = Signal(shape_of(shape) if shape else value.shape(), name=name, reset_less=True)
    m.d.sync += result.eq(value)
    return result


def tree_depth(count: int) -> int:
    """Registers in an adder tree of `count` terms."""
    return (count - 1).bit_length()


@dataclass(frozen=True)
class Term:
    """A value with its bounds for each weight word."""

    value: Value
    low: np.ndarray
    high: np.ndarray

    def delayed(self, m: Module) -> Term:
        return Term(register(m, self.value), self.low, self.high)


def sum_tree(
    m: Module, terms: Sequence[Term], *, target: Target, carries: Sequence[Value] = ()
) -> tuple[Term, list[Value]]:
    """Sum of all terms (and of as many `carries` as there are adders), a register after every level.

    Latency: tree_depth(len(terms)). Returns the root and the carries not used, delayed alike.
    """
    row, spare = list(terms), list(carries)
    while len(row) > 1:
        following = []
        for a, b in zip(row[::2], row[1::2]):
            bit = spare.pop() if spare else 0
            low, high = a.low + b.low, a.high + b.high + isinstance(bit, Value)
            shape = range_of(low, high)
            total = carry.add(m, a.value, b.value, shape.width, target=target, carry=bit)
            following.append(Term(register(m, total, shape, "partial"), low, high))
        if len(row) % 2:
            following.append(row[-1].delayed(m))
        row, spare = following, [register(m, each) for each in spare]
    return row[0], spare


def chain_luts(width: int) -> int:
    """LUT4 sites of an ECP5 carry chain of `width` bits, whatever logic stands before the sum."""
    return ECP5.adder_luts(width)


def tree_cost(count: int, width: int, target: Target = ECP5) -> Resources:
    """Adder tree of `count` terms of `width` bits, as `sum_tree` builds it."""
    total = Resources()
    while count > 1:
        width += 1
        adders, passed = divmod(count, 2)
        total += Resources(lut4=adders * target.adder_luts(width), ff=adders * width + passed * (width - 1))
        count = adders + passed
    return total
