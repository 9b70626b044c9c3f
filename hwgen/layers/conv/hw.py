"""Hardware of `conv`."""

from __future__ import annotations

from amaranth.lib import wiring

from hwgen.hw.layer import LayerUnit
from hwgen.hw.mvu import MVU
from hwgen.hw.staircase import StaircaseUnit
from hwgen.hw.window import WindowBuffer
from hwgen.ir.tensor import Tensor
from hwgen.layers.conv.estimate import words
from hwgen.layers.conv.op import Conv
from hwgen.layers.folding import Folding
from hwgen.targets.base import Target
from hwgen.weights.code import FORMS


def build(node: Conv, inputs: list[Tensor], folding: Folding, target: Target) -> wiring.Component:
    """Window with one repetition per fold of the outputs, MVU, activation with the bias in its steps."""
    (x,) = inputs
    outputs = len(node.weights)
    window = WindowBuffer(
        shape=x.shape,
        value=x.range,
        kernel=node.window.kernel,
        stride=node.window.stride,
        pad=node.window.pad,
        pad_value=node.pad_value,
        lanes=folding.simd,
        order="dense",
        repeat=outputs // folding.pe,
        target=target,
    )
    mvu = MVU(
        node.weights.reshape(outputs, -1),
        simd=folding.simd,
        pe=folding.pe,
        value=window.out_value,
        form=FORMS[folding.product],
        target=target,
    )
    assert node.act is not None  # the engine refuses a layer without one
    activation = StaircaseUnit(
        node.act.shifted(node.bias - mvu.offset),
        lanes=folding.lanes,
        channels=outputs,
        value=mvu.accumulator,
        split_at=mvu.offset - node.bias,
        target=target,
    )
    return LayerUnit(
        window=window,
        reducer=mvu,
        acc=mvu.accumulator,
        pe=folding.pe,
        lanes=folding.lanes,
        activation=activation,
        out=node.act.range,
        words=words(node, folding.simd),
        shared=mvu.shared is not None,
    )
