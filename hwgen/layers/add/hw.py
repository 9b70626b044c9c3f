"""Hardware of `add`."""

from __future__ import annotations

from amaranth.lib import wiring

from hwgen.hw.addunit import AddUnit
from hwgen.ir.tensor import Tensor
from hwgen.layers.add.op import Add
from hwgen.layers.folding import Folding
from hwgen.targets.base import Target


def build(node: Add, inputs: list[Tensor], folding: Folding, target: Target) -> wiring.Component:
    """Two streams in step."""
    a, b = inputs
    return AddUnit(
        node.tables, node.offsets, node.act, a=a.range, b=b.range, lanes=folding.lanes, target=target
    )
