"""Hardware of `softmax`."""

from __future__ import annotations

from amaranth.lib import wiring

from hwgen.hw.softmax import SoftmaxUnit
from hwgen.ir.tensor import Tensor
from hwgen.layers.folding import Folding
from hwgen.layers.softmax.op import Softmax
from hwgen.targets.base import Target


def build(node: Softmax, inputs: list[Tensor], folding: Folding, target: Target) -> wiring.Component:
    """The serial unit."""
    (x,) = inputs
    rom = "exchange" if node.exchanged else "auto"
    return SoftmaxUnit(
        node.exps, channels=x.shape[2], value=x.range, out_lo=node.out_lo, rom=rom, target=target
    )
