"""Hardware of `conv`."""

from __future__ import annotations

from amaranth.lib import wiring

from hwgen.hw.mvu import MVU
from hwgen.ir.tensor import Tensor
from hwgen.layers.conv.estimate import words
from hwgen.layers.conv.op import Conv
from hwgen.layers.folding import Folding
from hwgen.layers.weighted_unit import rom_of, unit, window_of
from hwgen.targets.base import Target
from hwgen.weights.code import FORMS


def build(node: Conv, inputs: list[Tensor], folding: Folding, target: Target) -> wiring.Component:
    """Window with one repetition per fold of the outputs, MVU, activation."""
    window = window_of(node, inputs[0], folding, target, order="dense", repeat=node.outputs // folding.pe)
    mvu = MVU(
        node.weights.reshape(node.outputs, -1),
        simd=folding.simd,
        pe=folding.pe,
        value=node.seen(window.out_value),
        form=FORMS[folding.product],
        rom=rom_of(node),
        code=node.code,
        target=target,
    )
    return unit(node, window, mvu, folding, words(node, folding.simd))
