"""Sum of the absolute values of all channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hwgen.ir.node import Node
from hwgen.ir.tensor import Tensor
from hwgen.numeric.ranges import Range


@dataclass(eq=False, kw_only=True)
class AbsSum(Node):
    """out[y, x, 0] = sum over c of |in[y, x, c] - zero|

    zero: the integer that stands for 0.0. Averaged over a window it is XNOR-Net's K (Rastegari et al.,
    "XNOR-Net: ImageNet Classification Using Binary Convolutional Neural Networks", 2016, section 3.2).
    """

    kind: ClassVar[str] = "abssum"
    zero: int = 0

    def largest(self, x: Range) -> int:
        """The largest absolute value."""
        return max(abs(x.lo - self.zero), abs(x.hi - self.zero))

    def infer(self, inputs: list[Tensor]) -> Tensor:
        (x,) = inputs
        height, width, channels = x.shape
        values = Range(0, channels * self.largest(x.range))
        return Tensor(self.output, (height, width, 1), values, self.source)

    def describe(self) -> str:
        return f"of differences from {self.zero}" if self.zero else ""
