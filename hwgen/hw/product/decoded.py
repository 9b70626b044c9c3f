"""Forms of plain integers for activations that carry codes: values are looked up first, once for all outputs.

Where weights are signs, or few powers of two, a term is passed or complemented in the slot that adds it; the
value's shift, which is the same for all outputs, then costs next to nothing. Shifting each weight by itself
(hw/product/shift.py) is for weights of more bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from amaranth.hdl import Module, Value

from hwgen.hw.product.form import Levels, ProductForm, Sum
from hwgen.numeric.codes import Coded, reach
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5, Target
from hwgen.targets.resources import Resources


class DecodedForm(ProductForm):
    """`inner` on the values of codes. All as `inner` has it, and a LUT or more a value's bit a lane."""

    inner: ClassVar[type[ProductForm]]
    coded = True

    def __init__(self, weights: np.ndarray, *, value: Range, target: Target) -> None:
        super().__init__(weights, value=value, target=target)
        assert isinstance(value, Coded)
        self.values = value.values
        self.made = self.inner(weights, value=reach(value), target=target)

    @classmethod
    def suits(cls, levels: Levels, value: Range, simd: int, pe: int, target: Target) -> bool:
        return isinstance(value, Coded) and cls.inner.suits(levels, reach(value), simd, pe, target)

    @classmethod
    def cost(
        cls, simd: int, levels: Levels, value: Range, accumulator: Range, *, target: Target = ECP5
    ) -> Resources:
        return cls.inner.cost(simd, levels, reach(value), accumulator, target=target)

    @classmethod
    def shared_cost(cls, simd: int, value: Range, accumulator: Range, *, target: Target = ECP5) -> Resources:
        return decoding_cost(simd, value, reach(value).width)

    @classmethod
    def code_bits(cls, simd: int, levels: Levels, value: Range) -> int:
        return cls.inner.code_bits(simd, levels, reach(value))

    @classmethod
    def offset(cls, weights: np.ndarray, value: Range) -> np.ndarray:
        return cls.inner.offset(weights, reach(value))

    @property
    def lane(self) -> Range:
        return reach(self.value)

    def translated(self) -> np.ndarray:
        return np.array(self.values, dtype=np.int64)

    @property
    def latency(self) -> int:
        return self.made.latency

    @property
    def word_bits(self) -> int:
        return self.made.word_bits

    def encode(self, weights: np.ndarray) -> np.ndarray:
        return self.made.encode(weights)

    def build(self, m: Module, lanes: Sequence[Value], word: Value) -> list[Sum]:
        return self.made.build(m, lanes, word)


def decoded(form: type[ProductForm]) -> type[ProductForm]:
    """The form for activations that carry codes."""
    return type(f"Decoded{form.__name__}", (DecodedForm,), {"name": f"{form.name}_coded", "inner": form})


def decoding_cost(simd: int, value: Range, bits: int) -> Resources:
    """Truth tables that turn the codes of `simd` lanes into `bits` bits, and longer registers behind them."""
    tables = 1 if value.width <= 4 else 1 << (value.width - 4)
    return Resources(lut4=simd * bits * tables, ff=max(bits - value.width, 0) * simd * 2)
