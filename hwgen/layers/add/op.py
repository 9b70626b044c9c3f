"""Residual addition of two tensors with scales of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwgen.ir.node import IllegalNode, Node
from hwgen.ir.tensor import Tensor
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints
from hwgen.numeric.staircase import Staircase


@dataclass(eq=False, kw_only=True)
class Add(Node):
    """out = act(tables[0][a - offsets[0]] + tables[1][b - offsets[1]]).

    The tables are monotone and hold what the runtime makes of each input before it adds: TFLite's
    rescaled integers, or ONNX's float32 products as integers on one common binary scale; the sum is
    then exactly the runtime's, and rounding is a staircase. tables[i]: (n,) int64 over input values
    offsets[i]..offsets[i]+n-1. act has one row.
    """

    kind: ClassVar[str] = "add"
    tables: tuple[Ints, Ints]
    offsets: tuple[int, int]
    act: Staircase

    def sum_range(self) -> Range:
        """Range of the sum before the activation."""
        a, b = (Range(int(t.min()), int(t.max())) for t in self.tables)
        return a + b

    def infer(self, inputs: list[Tensor]) -> Tensor:
        a, b = inputs
        if a.shape != b.shape:
            raise IllegalNode(f"{self.name}: adds {a.shape} and {b.shape}")
        for x, table, offset in zip(inputs, self.tables, self.offsets, strict=True):
            if x.range not in Range(offset, offset + len(table) - 1):
                raise IllegalNode(f"{self.name}: no table entry for some of {x.range}")
            if np.any(np.diff(table) < 0):
                raise IllegalNode(f"{self.name}: table is not monotone")
        return Tensor(self.output, a.shape, self.act.range, self.source)
