"""Foldings, cycles and cost of `pad`."""

from __future__ import annotations

from math import ceil

from hwgen.ir.tensor import Tensor
from hwgen.layers.folding import Folding, Stage, divisors
from hwgen.layers.pad.op import Pad
from hwgen.targets.base import Target
from hwgen.targets.resources import Resources


def foldings(node: Pad, inputs: list[Tensor]) -> list[Folding]:
    """Every divisor of the channels."""
    return [Folding(lanes, lanes, lanes) for lanes in divisors(inputs[0].shape[2])]


def products(node: Pad, inputs: list[Tensor], folding: Folding, target: Target) -> list[str]:
    """None."""
    return [""]


def interval(node: Pad, inputs: list[Tensor], folding: Folding) -> int:
    """Clocks per output pixel."""
    return ceil(inputs[0].shape[2] / folding.simd)


def cost(node: Pad, inputs: list[Tensor], folding: Folding, target: Target) -> Resources:
    """Counters, a multiplexer and a register a bit."""
    bits = inputs[0].range.width * folding.lanes
    return Resources(lut4=60 + bits, ff=30 + bits)


def stage(node: Pad, inputs: list[Tensor], folding: Folding) -> Stage:
    """An output pixel wants the input pixels up to its own place."""
    (x,) = inputs
    top, bottom, left, right = node.pad
    height, width, _ = x.shape
    needed, seen = [], -1
    for y in range(height + top + bottom):
        for column in range(width + left + right):
            if top <= y < top + height and left <= column < left + width:
                seen = (y - top) * width + column - left
            needed.append(max(seen, 0))
    return Stage(needed, [*needed[:1], *needed[:-1]], interval(node, inputs, folding), 1, 2)
