"""Foldings, cycles and cost of `add`."""

from __future__ import annotations

from functools import lru_cache

from hwgen.hw.addunit import add_cost
from hwgen.ir.tensor import Tensor
from hwgen.layers.add.op import Add
from hwgen.layers.folding import Folding, Stage, divisors
from hwgen.numeric.ranges import Range
from hwgen.targets.base import Target
from hwgen.targets.resources import Resources


def foldings(node: Add, inputs: list[Tensor]) -> list[Folding]:
    """Every divisor of the channels."""
    return [Folding(lanes, lanes, lanes) for lanes in divisors(inputs[0].shape[2])]


def products(node: Add, inputs: list[Tensor], folding: Folding, target: Target) -> list[str]:
    """The unit chooses for itself."""
    return [""]


def interval(node: Add, inputs: list[Tensor], folding: Folding) -> int:
    """Clocks per pixel."""
    return inputs[0].shape[2] // folding.simd


def cost(node: Add, inputs: list[Tensor], folding: Folding, target: Target) -> Resources:
    """Tables or factors, adders, rounding, queue."""
    return _cost(node, inputs[0].range, inputs[1].range, folding.lanes, target)


@lru_cache(maxsize=4096)
def _cost(node: Add, a: Range, b: Range, lanes: int, target: Target) -> Resources:
    return add_cost(node.tables, node.offsets, node.act, a=a, b=b, lanes=lanes, target=target)


def stage(node: Add, inputs: list[Tensor], folding: Folding) -> Stage:
    """A join: the FIFOs in front of it come from the schedule."""
    pixels = list(range(inputs[0].shape[0] * inputs[0].shape[1]))
    return Stage(pixels, pixels, interval(node, inputs, folding), 12, None)
