"""Foldings, cycles and cost of `abssum`."""

from __future__ import annotations

from hwgen.hw.abssum import abssum_cost
from hwgen.hw.window_math import WindowGeometry
from hwgen.ir.tensor import Tensor
from hwgen.layers.abssum.op import AbsSum
from hwgen.layers.folding import Folding, Stage, divisors, drain_cost, window_cost, window_stage
from hwgen.targets.base import Target
from hwgen.targets.resources import Resources

LATENCY = 10  # about what window, magnitudes and their sum take together


def geometry(x: Tensor, folding: Folding) -> WindowGeometry:
    """A window of one pixel."""
    return WindowGeometry(x.shape, (1, 1), lanes=folding.simd)


def foldings(node: AbsSum, inputs: list[Tensor]) -> list[Folding]:
    """Every divisor of the channels; one result a pixel."""
    return [Folding(simd, 1, 1) for simd in divisors(inputs[0].shape[2])]


def products(node: AbsSum, inputs: list[Tensor], folding: Folding, target: Target) -> list[str]:
    """None: there is nothing to multiply."""
    return [""]


def interval(node: AbsSum, inputs: list[Tensor], folding: Folding) -> int:
    """Clocks per pixel."""
    return inputs[0].shape[2] // folding.simd


def cost(node: AbsSum, inputs: list[Tensor], folding: Folding, target: Target) -> Resources:
    """Register, magnitudes and their adders, queue."""
    (x,) = inputs
    width = node.infer(inputs).range.width
    total = window_cost(geometry(x, folding), x.range.width, target)
    total += abssum_cost(value=x.range, zero=node.zero, lanes=folding.simd, width=width, target=target)
    words = interval(node, inputs, folding)
    return total + drain_cost(1, 1, width, width, words=words, latency=LATENCY, target=target)


def stage(node: AbsSum, inputs: list[Tensor], folding: Folding) -> Stage:
    """One pixel after the other."""
    words = interval(node, inputs, folding)
    return window_stage(geometry(inputs[0], folding), words, LATENCY, words)
