"""The columns under a window, side by side as channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hwgen.ir.node import IllegalNode, Node
from hwgen.ir.tensor import Tensor


@dataclass(eq=False, kw_only=True)
class Columns(Node):
    """out[y, x, j * C + c] = in[y, x * stride + j, c], j = 0 .. width - 1.

    A convolution KH x `width` of few channels becomes one of KH x 1 with `width` times as many, which can be
    multiplied side by side.
    """

    kind: ClassVar[str] = "columns"
    width: int
    stride: int

    def infer(self, inputs: list[Tensor]) -> Tensor:
        (x,) = inputs
        height, columns, channels = x.shape
        if self.width < 1 or self.stride < 1 or columns < self.width:
            raise IllegalNode(f"{self.name}: no {self.width} columns in an image of {height}x{columns}")
        seen = (columns - self.width) // self.stride + 1
        return Tensor(self.output, (height, seen, self.width * channels), x.range, self.source)

    def describe(self) -> str:
        return f"{self.width} at a time, every {self.stride}"
