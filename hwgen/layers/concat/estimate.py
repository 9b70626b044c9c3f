"""Foldings, cycles and cost of `concat`."""

from __future__ import annotations

from math import gcd

from hwgen.hw.concat import ConcatUnit, concat_cost
from hwgen.ir.tensor import Tensor
from hwgen.layers.concat.op import Concat
from hwgen.layers.folding import Folding, Stage, divisors
from hwgen.targets.base import Target
from hwgen.targets.resources import Resources


def foldings(node: Concat, inputs: list[Tensor]) -> list[Folding]:
    """Every divisor of both inputs' channels."""
    return [Folding(lanes, lanes, lanes) for lanes in divisors(gcd(*(x.shape[2] for x in inputs)))]


def products(node: Concat, inputs: list[Tensor], folding: Folding, target: Target) -> list[str]:
    """None."""
    return [""]


def interval(node: Concat, inputs: list[Tensor], folding: Folding) -> int:
    """Clocks per pixel."""
    return sum(x.shape[2] for x in inputs) // folding.simd


def cost(node: Concat, inputs: list[Tensor], folding: Folding, target: Target) -> Resources:
    """A multiplexer and a queue."""
    a, b = inputs
    return concat_cost(
        channels=(a.shape[2], b.shape[2]), lanes=folding.lanes, out=node.infer(inputs).range, target=target
    )


def stage(node: Concat, inputs: list[Tensor], folding: Folding) -> Stage:
    """A join: the FIFOs in front of it come from the schedule."""
    pixels = list(range(inputs[0].shape[0] * inputs[0].shape[1]))
    return Stage(pixels, pixels, interval(node, inputs, folding), ConcatUnit.latency, None)
