"""Channels of one tensor behind those of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hwgen.ir.node import IllegalNode, Node
from hwgen.ir.tensor import Tensor
from hwgen.numeric.codes import Coded


@dataclass(eq=False, kw_only=True)
class Concat(Node):
    """out[y, x] = a[y, x] followed by b[y, x]: (H, W, Ca) and (H, W, Cb) to (H, W, Ca + Cb).

    The integers stay what they are; an importer makes them mean the same first. More than two are a chain.
    """

    kind: ClassVar[str] = "concat"

    def infer(self, inputs: list[Tensor]) -> Tensor:
        a, b = inputs
        if a.shape[:2] != b.shape[:2]:
            raise IllegalNode(f"{self.name}: puts pixels of {a.shape} and {b.shape} together")
        if isinstance(a.range, Coded) or isinstance(b.range, Coded):
            if a.range != b.range:
                raise IllegalNode(f"{self.name}: puts codes of different values together")
            return Tensor(self.output, (*a.shape[:2], a.shape[2] + b.shape[2]), a.range, self.source)
        shape = (*a.shape[:2], a.shape[2] + b.shape[2])
        return Tensor(self.output, shape, a.range | b.range, self.source)
