"""Hardware of `concat`."""

from __future__ import annotations

from amaranth.lib import wiring

from hwgen.hw.concat import ConcatUnit
from hwgen.ir.tensor import Tensor
from hwgen.layers.concat.op import Concat
from hwgen.layers.folding import Folding
from hwgen.targets.base import Target


def build(node: Concat, inputs: list[Tensor], folding: Folding, target: Target) -> wiring.Component:
    """Two streams by turns."""
    a, b = inputs
    return ConcatUnit(
        a=a.range,
        b=b.range,
        out=node.infer(inputs).range,
        channels=(a.shape[2], b.shape[2]),
        lanes=folding.lanes,
    )
