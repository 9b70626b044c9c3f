"""Maximum over a sliding window."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from hwgen.ir.node import Node
from hwgen.ir.tensor import Tensor
from hwgen.layers.window import Window
from hwgen.numeric.staircase import Staircase


@dataclass(eq=False, kw_only=True)
class MaxPool(Node):
    """out[y, x, c] = act(max over (i, j) inside the image of in[y*sy + i - top, x*sx + j - left, c])."""

    kind: ClassVar[str] = "maxpool"
    window: Window = field(default_factory=Window)
    act: Staircase | None = None

    def infer(self, inputs: list[Tensor]) -> Tensor:
        (x,) = inputs
        height, width = self.window.output_size(x.shape[:2], self.name)
        return Tensor(
            self.output, (height, width, x.shape[2]), self.act.range if self.act else x.range, self.source
        )

    def describe(self) -> str:
        return str(self.window)
