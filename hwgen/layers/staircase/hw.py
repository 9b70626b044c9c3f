"""Hardware of a staircase of its own."""

from __future__ import annotations

from amaranth.lib import wiring

from hwgen.hw.layer import LayerUnit
from hwgen.hw.staircase import StaircaseUnit
from hwgen.hw.window import WindowBuffer
from hwgen.ir.tensor import Tensor
from hwgen.layers.folding import Folding
from hwgen.layers.staircase.op import Step
from hwgen.targets.base import Target


def build(node: Step, inputs: list[Tensor], folding: Folding, target: Target) -> wiring.Component:
    """Words pass through a window of one pixel into the activation."""
    (x,) = inputs
    activation = StaircaseUnit(
        node.act, lanes=folding.lanes, channels=x.shape[2], value=x.range, target=target
    )
    return LayerUnit(
        window=WindowBuffer(shape=x.shape, value=x.range, lanes=folding.simd, order="depthwise"),
        reducer=None,
        acc=x.range,
        pe=folding.pe,
        lanes=folding.lanes,
        activation=activation,
        out=node.act.range,
        words=1,
    )
