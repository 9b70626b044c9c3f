"""Hardware of `argmax`."""

from __future__ import annotations

from amaranth.lib import wiring

from hwgen.hw.argmax import ArgMaxUnit
from hwgen.ir.tensor import Tensor
from hwgen.layers.argmax.op import ArgMax
from hwgen.layers.folding import Folding
from hwgen.targets.base import Target


def build(node: ArgMax, inputs: list[Tensor], folding: Folding, target: Target) -> wiring.Component:
    """The serial unit."""
    (x,) = inputs
    return ArgMaxUnit(channels=x.shape[2], value=x.range)
