"""Hardware of `maxpool`."""

from __future__ import annotations

from amaranth.lib import wiring

from hwgen.hw.layer import LayerUnit
from hwgen.hw.pool import MaxReducer
from hwgen.hw.staircase import StaircaseUnit
from hwgen.hw.window import WindowBuffer
from hwgen.ir.tensor import Tensor
from hwgen.layers.folding import Folding
from hwgen.layers.maxpool.op import MaxPool
from hwgen.targets.base import Target


def build(node: MaxPool, inputs: list[Tensor], folding: Folding, target: Target) -> wiring.Component:
    """Window block of channels by block; padding is the lowest value, which never wins alone."""
    (x,) = inputs
    window = WindowBuffer(
        shape=x.shape,
        value=x.range,
        kernel=node.window.kernel,
        stride=node.window.stride,
        pad=node.window.pad,
        pad_value=x.range.lo,
        lanes=folding.simd,
        order="depthwise",
        target=target,
    )
    activation = None
    if node.act is not None:
        activation = StaircaseUnit(
            node.act, lanes=folding.lanes, channels=x.shape[2], value=x.range, target=target
        )
    return LayerUnit(
        window=window,
        reducer=MaxReducer(value=x.range, lanes=folding.pe),
        acc=x.range,
        pe=folding.pe,
        lanes=folding.lanes,
        activation=activation,
        out=node.act.range if node.act else x.range,
        words=window.geometry.group_words,
    )
