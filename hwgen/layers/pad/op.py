"""A border of constant pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hwgen.ir.node import Node
from hwgen.ir.tensor import Tensor
from hwgen.numeric.ranges import Range


@dataclass(eq=False, kw_only=True)
class Pad(Node):
    """out = in with `pad` (top, bottom, left, right) pixels of `value` around it."""

    kind: ClassVar[str] = "pad"
    pad: tuple[int, int, int, int]
    value: int

    def infer(self, inputs: list[Tensor]) -> Tensor:
        (x,) = inputs
        top, bottom, left, right = self.pad
        shape = (x.shape[0] + top + bottom, x.shape[1] + left + right, x.shape[2])
        return Tensor(self.output, shape, x.range | Range(self.value, self.value), self.source)

    def describe(self) -> str:
        return f"{'/'.join(map(str, self.pad))} of {self.value}"
