"""Hardware of `abssum`."""

from __future__ import annotations

from amaranth.lib import wiring

from hwgen.hw.abssum import AbsSumReducer
from hwgen.hw.layer import LayerUnit
from hwgen.hw.window import WindowBuffer
from hwgen.ir.tensor import Tensor
from hwgen.layers.abssum.estimate import interval
from hwgen.layers.abssum.op import AbsSum
from hwgen.layers.folding import Folding
from hwgen.targets.base import Target


def build(node: AbsSum, inputs: list[Tensor], folding: Folding, target: Target) -> wiring.Component:
    """Words of a pixel pass through a window of its size into the sum."""
    (x,) = inputs
    total = node.infer(inputs).range
    return LayerUnit(
        window=WindowBuffer(shape=x.shape, value=x.range, lanes=folding.simd, target=target),
        reducer=AbsSumReducer(value=x.range, zero=node.zero, lanes=folding.simd, total=total, target=target),
        acc=total,
        pe=1,
        lanes=1,
        activation=None,
        out=total,
        words=interval(node, inputs, folding),
    )
