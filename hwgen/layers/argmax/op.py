"""Index of the largest channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hwgen.ir.node import Node
from hwgen.ir.tensor import Tensor
from hwgen.numeric.ranges import Range


@dataclass(eq=False, kw_only=True)
class ArgMax(Node):
    """out[y, x, 0] = the smallest c with in[y, x, c] = max over channels."""

    kind: ClassVar[str] = "argmax"

    def infer(self, inputs: list[Tensor]) -> Tensor:
        (x,) = inputs
        return Tensor(self.output, (x.shape[0], x.shape[1], 1), Range(0, x.shape[2] - 1), self.source)
