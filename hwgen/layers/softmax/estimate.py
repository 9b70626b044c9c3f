"""Folding, cycles and cost of `softmax`."""

from __future__ import annotations

from hwgen.hw.softmax import cycles
from hwgen.ir.tensor import Tensor
from hwgen.layers.folding import Folding, Stage
from hwgen.layers.softmax.op import Softmax
from hwgen.targets.base import Target
from hwgen.targets.resources import Resources


def foldings(node: Softmax, inputs: list[Tensor]) -> list[Folding]:
    """One class at a time."""
    return [Folding()]


def products(node: Softmax, inputs: list[Tensor], folding: Folding, target: Target) -> list[str]:
    """The multiplier is serial."""
    return [""]


def interval(node: Softmax, inputs: list[Tensor], folding: Folding) -> int:
    """Clocks per pixel."""
    return cycles(inputs[0].shape[2])


def cost(node: Softmax, inputs: list[Tensor], folding: Folding, target: Target) -> Resources:
    """Multiplier and registers (measured), the memory of a pixel, the ROM of exponentials."""
    memory = target.small_ram(inputs[0].range.width, inputs[0].shape[2])
    return Resources(lut4=930, ff=380, bram=1) + memory


def stage(node: Softmax, inputs: list[Tensor], folding: Folding) -> Stage:
    """A pixel is taken when the one before is done."""
    pixels = inputs[0].shape[0] * inputs[0].shape[1]
    return Stage(list(range(pixels)), list(range(pixels)), interval(node, inputs, folding), 1, 1)
