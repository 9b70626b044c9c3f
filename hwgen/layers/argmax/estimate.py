"""Folding, cycles and cost of `argmax`."""

from __future__ import annotations

from hwgen.ir.tensor import Tensor
from hwgen.layers.argmax.op import ArgMax
from hwgen.layers.folding import Folding, Stage
from hwgen.targets.base import Target
from hwgen.targets.resources import Resources


def foldings(node: ArgMax, inputs: list[Tensor]) -> list[Folding]:
    """One class at a time."""
    return [Folding()]


def products(node: ArgMax, inputs: list[Tensor], folding: Folding, target: Target) -> list[str]:
    """None."""
    return [""]


def interval(node: ArgMax, inputs: list[Tensor], folding: Folding) -> int:
    """Clocks per pixel."""
    return inputs[0].shape[2]


def cost(node: ArgMax, inputs: list[Tensor], folding: Folding, target: Target) -> Resources:
    """A comparator, a counter, the best so far."""
    bits = (inputs[0].shape[2] - 1).bit_length()
    return Resources(lut4=2 * inputs[0].range.width + 5 * bits + 10, ff=inputs[0].range.width + 3 * bits + 2)


def stage(node: ArgMax, inputs: list[Tensor], folding: Folding) -> Stage:
    """One pixel after the other."""
    pixels = inputs[0].shape[0] * inputs[0].shape[1]
    return Stage(list(range(pixels)), list(range(pixels)), interval(node, inputs, folding), 1, 1)
