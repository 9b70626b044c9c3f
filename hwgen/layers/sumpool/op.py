"""Sum over a sliding window: average and global pooling without their division."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from hwgen.ir.node import Node
from hwgen.ir.tensor import Tensor
from hwgen.layers.window import Window
from hwgen.numeric.ranges import Range
from hwgen.numeric.staircase import Staircase


@dataclass(eq=False, kw_only=True)
class SumPool(Node):
    """acc[y, x, c] = sum over (i, j) inside the image of in[y*sy + i - top, x*sx + j - left, c]

    and out = act(acc): the division by the area, with the runtime's rounding, is the staircase
    (with a row per area where padding makes areas differ).
    """

    kind: ClassVar[str] = "sumpool"
    window: Window = field(default_factory=Window)
    act: Staircase | None = None

    def acc_range(self, x: Range) -> Range:
        """Range of the sum."""
        area = self.window.kernel[0] * self.window.kernel[1]
        full = x * area
        return full | Range(0, 0) if any(self.window.pad) else full

    def infer(self, inputs: list[Tensor]) -> Tensor:
        (x,) = inputs
        height, width = self.window.output_size(x.shape[:2], self.name)
        result = self.act.range if self.act else self.acc_range(x.range)
        return Tensor(self.output, (height, width, x.shape[2]), result, self.source)

    def describe(self) -> str:
        return str(self.window)
