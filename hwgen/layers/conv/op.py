"""Convolution, and dense as the convolution of a 1x1 image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hwgen.ir.node import IllegalNode
from hwgen.ir.tensor import Tensor
from hwgen.layers.weighted import Weighted


@dataclass(eq=False, kw_only=True)
class Conv(Weighted):
    """acc[y, x, o] = bias[o]
         + sum over (i, j, c) of weights[o, i, j, c] * in[y*sy + i - top, x*sx + j - left, c]

    weights: int (O, KH, KW, C). bias: int (O,).
    """

    kind: ClassVar[str] = "conv"
    summed: ClassVar[tuple[int, ...]] = (1, 2, 3)

    def infer(self, inputs: list[Tensor]) -> Tensor:
        (x,) = inputs
        outputs, kh, kw, channels = self.weights.shape
        if channels != x.shape[2] or self.bias.shape != (outputs,) or (kh, kw) != self.window.kernel:
            raise IllegalNode(f"{self.name}: weights {self.weights.shape} do not fit an input of {x.shape}")
        return self.made(x)

    def describe(self) -> str:
        return f"{self.outputs} outputs, {self.window}{self.taken()}"
