"""Softmax over channels, as TFLite's int8 kernels compute it in fixed point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hwgen.ir.node import IllegalNode, Node
from hwgen.ir.tensor import Tensor
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints


@dataclass(eq=False, kw_only=True)
class Softmax(Node):
    """out[c] = clamp(round_pot(mul(reciprocal(sum of e), e[c]), 31 + k - 8) + out_lo, out_lo, out_lo + 255)

    with e[c] = exps[max - in[c]] (Q0.31, zero where the difference is below TFLite's cut-off), k
    and the reciprocal as in golden.py. exps: (n,) over differences 0..n-1. exchanged: whether other
    exponentials take their place later.
    Source: TensorFlow Lite reference softmax.h and gemmlowp fixedpoint.h.
    """

    kind: ClassVar[str] = "softmax"
    exps: Ints
    out_lo: int
    exchanged: bool = False

    def infer(self, inputs: list[Tensor]) -> Tensor:
        (x,) = inputs
        if len(self.exps) < x.range.hi - x.range.lo + 1:
            raise IllegalNode(f"{self.name}: no exponential for some differences of {x.range}")
        return Tensor(self.output, x.shape, Range(self.out_lo, self.out_lo + 255), self.source)
