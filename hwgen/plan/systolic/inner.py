"""Nodes that only the systolic compiler knows: what layers are taken apart into, or put together from."""

from __future__ import annotations

from dataclasses import dataclass

from hwgen.ir.node import Node
from hwgen.ir.tensor import Tensor
from hwgen.numeric.ranges import Range
from hwgen.plan.systolic.layout import BYTE

INSIDE = "#part"
"""In the names of nodes that a layer is made of, behind the layer's."""


@dataclass(eq=False, kw_only=True)
class Together(Node):
    """A chain of `concat` as one node of many inputs."""

    kind = "concat"

    def infer(self, inputs: list[Tensor]) -> Tensor:
        lo, hi = min(x.range.lo for x in inputs), max(x.range.hi for x in inputs)
        channels = sum(x.shape[2] for x in inputs)
        return Tensor(self.output, (*inputs[0].shape[:2], channels), Range(lo, hi), self.source)


@dataclass(eq=False, kw_only=True)
class Rise(Node):
    """out[y, x] = max(in[y + dy, x + dx] - in[y, x], 0) - 128; anything in the last dx columns."""

    kind = "maxpool"
    shift: tuple[int, int]

    def infer(self, inputs: list[Tensor]) -> Tensor:
        (x,) = inputs
        return Tensor(self.output, (x.shape[0] - self.shift[0], *x.shape[1:]), BYTE)


@dataclass(eq=False, kw_only=True)
class Raised(Node):
    """out[y, x] = a[y * sy, x * sx] + b[y * sy, x * sx] + 128, b the `Rise` of a; size: of the output."""

    kind = "maxpool"
    stride: tuple[int, int]
    size: tuple[int, int]

    def infer(self, inputs: list[Tensor]) -> Tensor:
        return Tensor(self.output, (*self.size, inputs[0].shape[2]), inputs[0].range, self.source)
