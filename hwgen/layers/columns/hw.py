"""Hardware of `columns`."""

from __future__ import annotations

from amaranth.lib import wiring

from hwgen.hw.columns import Columns as ColumnsUnit
from hwgen.ir.tensor import Tensor
from hwgen.layers.columns.op import Columns
from hwgen.layers.folding import Folding
from hwgen.targets.base import Target


def build(node: Columns, inputs: list[Tensor], folding: Folding, target: Target) -> wiring.Component:
    """A shift register of pixels."""
    (x,) = inputs
    return ColumnsUnit(shape=x.shape, value=x.range, width=node.width, stride=node.stride)
