"""Hardware of `depthwise`."""

from __future__ import annotations

from amaranth.lib import wiring

from hwgen.hw.vvu import VVU
from hwgen.ir.tensor import Tensor
from hwgen.layers.depthwise.estimate import words
from hwgen.layers.depthwise.op import Depthwise
from hwgen.layers.folding import Folding
from hwgen.layers.weighted_unit import rom_of, unit, window_of
from hwgen.targets.base import Target
from hwgen.weights.code import FORMS


def build(node: Depthwise, inputs: list[Tensor], folding: Folding, target: Target) -> wiring.Component:
    """Window block of channels by block, VVU, activation."""
    window = window_of(node, inputs[0], folding, target, order="depthwise")
    vvu = VVU(
        node.weights.reshape(-1, node.outputs),
        pe=folding.pe,
        value=node.seen(window.out_value),
        form=FORMS[folding.product],
        rom=rom_of(node),
        code=node.code,
        target=target,
    )
    return unit(node, window, vvu, folding, words(node))
