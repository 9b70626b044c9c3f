"""Hardware of `sumpool`."""

from __future__ import annotations

from amaranth.lib import wiring

from hwgen.hw.globalpool import GlobalSum
from hwgen.hw.layer import LayerUnit, TotalsUnit
from hwgen.hw.pool import SumReducer
from hwgen.hw.staircase import StaircaseUnit
from hwgen.hw.window import WindowBuffer
from hwgen.ir.tensor import Tensor
from hwgen.layers.folding import Folding
from hwgen.layers.pooling import is_global
from hwgen.layers.sumpool.op import SumPool
from hwgen.targets.base import Target


def build(node: SumPool, inputs: list[Tensor], folding: Folding, target: Target) -> wiring.Component:
    """Running totals for a window that is the whole image, else a window of zeros outside it."""
    (x,) = inputs
    assert node.act is not None  # the engine refuses a layer without one
    acc = node.acc_range(x.range)
    channels = x.shape[2]
    activation = StaircaseUnit(node.act, lanes=folding.lanes, channels=channels, value=acc, target=target)
    if is_global(node.window, x):
        totals = GlobalSum(
            pixels=x.shape[0] * x.shape[1], channels=channels, lanes=folding.simd, value=x.range
        )
        return TotalsUnit(totals=totals, lanes=folding.lanes, activation=activation, out=node.act.range)
    window = WindowBuffer(
        shape=x.shape,
        value=x.range,
        kernel=node.window.kernel,
        stride=node.window.stride,
        pad=node.window.pad,
        pad_value=0,
        lanes=folding.simd,
        order="depthwise",
        target=target,
    )
    return LayerUnit(
        window=window,
        reducer=SumReducer(value=window.out_value, lanes=folding.pe, total=acc),
        acc=acc,
        pe=folding.pe,
        lanes=folding.lanes,
        activation=activation,
        out=node.act.range,
        words=window.geometry.group_words,
    )
