"""Depthwise convolution: every channel has its own kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hwgen.ir.node import IllegalNode
from hwgen.ir.tensor import Tensor
from hwgen.layers.weighted import Weighted


@dataclass(eq=False, kw_only=True)
class Depthwise(Weighted):
    """acc[y, x, c] = bias[c] + sum over (i, j) of weights[i, j, c] * in[y*sy + i - top, x*sx + j - left, c]

    One output per input channel: importers turn a channel multiplier above 1 into a `conv`.
    weights: int (KH, KW, C). bias: int (C,).
    """

    kind: ClassVar[str] = "depthwise"
    summed: ClassVar[tuple[int, ...]] = (0, 1)

    def infer(self, inputs: list[Tensor]) -> Tensor:
        (x,) = inputs
        if self.weights.shape != (*self.window.kernel, x.shape[2]) or self.bias.shape != (x.shape[2],):
            raise IllegalNode(f"{self.name}: weights {self.weights.shape} do not fit an input of {x.shape}")
        return self.made(x)

    def describe(self) -> str:
        return f"{self.window}{self.taken()}"
