"""Hardware of `pad`."""

from __future__ import annotations

from amaranth.lib import wiring

from hwgen.hw.pad import Pad as PadUnit
from hwgen.ir.tensor import Tensor
from hwgen.layers.folding import Folding
from hwgen.layers.pad.op import Pad
from hwgen.targets.base import Target


def build(node: Pad, inputs: list[Tensor], folding: Folding, target: Target) -> wiring.Component:
    """Border pixels between the stream's own."""
    (x,) = inputs
    return PadUnit(shape=x.shape, value=x.range, pad=node.pad, constant=node.value, lanes=folding.lanes)
