"""Another shape for the same stream of elements."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from hwgen.ir.node import IllegalNode, Node
from hwgen.ir.tensor import Shape, Tensor


@dataclass(eq=False, kw_only=True)
class Reshape(Node):
    """out = in, elements in the same channel-last order under another shape: no hardware at all."""

    kind: ClassVar[str] = "reshape"
    shape: Shape

    def infer(self, inputs: list[Tensor]) -> Tensor:
        (x,) = inputs
        if prod(self.shape) != x.size:
            raise IllegalNode(f"{self.name}: {x.shape} cannot become {self.shape}")
        return Tensor(self.output, self.shape, x.range, self.source)

    def describe(self) -> str:
        return "to " + "x".join(map(str, self.shape))
