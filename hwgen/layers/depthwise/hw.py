"""Hardware of `depthwise`."""

from __future__ import annotations

from amaranth.lib import wiring

from hwgen.hw.layer import LayerUnit
from hwgen.hw.staircase import StaircaseUnit
from hwgen.hw.vvu import VVU
from hwgen.hw.window import WindowBuffer
from hwgen.ir.tensor import Tensor
from hwgen.layers.depthwise.estimate import words
from hwgen.layers.depthwise.op import Depthwise
from hwgen.layers.folding import Folding
from hwgen.targets.base import Target
from hwgen.weights.code import FORMS


def build(node: Depthwise, inputs: list[Tensor], folding: Folding, target: Target) -> wiring.Component:
    """Window block of channels by block, VVU, activation with the bias in its steps."""
    (x,) = inputs
    window = WindowBuffer(
        shape=x.shape,
        value=x.range,
        kernel=node.window.kernel,
        stride=node.window.stride,
        pad=node.window.pad,
        pad_value=node.pad_value,
        lanes=folding.simd,
        order="depthwise",
        target=target,
    )
    vvu = VVU(
        node.weights.reshape(-1, x.shape[2]),
        pe=folding.pe,
        value=window.out_value,
        form=FORMS[folding.product],
        target=target,
    )
    assert node.act is not None  # the engine refuses a layer without one
    activation = StaircaseUnit(
        node.act.shifted(node.bias - vvu.offset),
        lanes=folding.lanes,
        channels=x.shape[2],
        value=vvu.accumulator,
        split_at=vvu.offset - node.bias,
        target=target,
    )
    return LayerUnit(
        window=window,
        reducer=vvu,
        acc=vvu.accumulator,
        pe=folding.pe,
        lanes=folding.lanes,
        activation=activation,
        out=node.act.range,
        words=words(node),
    )
