"""Foldings, cycles and cost of a staircase of its own."""

from __future__ import annotations

from hwgen.hw.window_math import WindowGeometry
from hwgen.ir.tensor import Tensor
from hwgen.layers.activation import activation_cost
from hwgen.layers.folding import Folding, Stage, divisors, drain_cost, window_cost, window_stage
from hwgen.layers.staircase.op import Step
from hwgen.targets.base import Target
from hwgen.targets.resources import Resources


def geometry(x: Tensor, folding: Folding) -> WindowGeometry:
    """A window of one pixel: words pass through, each of them a group, as each is a result of its own."""
    return WindowGeometry(x.shape, (1, 1), lanes=folding.simd, order="depthwise")


def foldings(node: Step, inputs: list[Tensor]) -> list[Folding]:
    """Every divisor of the channels."""
    return [Folding(lanes, lanes, lanes) for lanes in divisors(inputs[0].shape[2])]


def products(node: Step, inputs: list[Tensor], folding: Folding, target: Target) -> list[str]:
    """The activation chooses for itself."""
    return [""]


def interval(node: Step, inputs: list[Tensor], folding: Folding) -> int:
    """Clocks per pixel."""
    return inputs[0].shape[2] // folding.simd


def cost(node: Step, inputs: list[Tensor], folding: Folding, target: Target) -> Resources:
    """Register, activation, queue."""
    (x,) = inputs
    total = window_cost(geometry(x, folding), x.range.width, target)
    total += drain_cost(
        folding.pe, folding.lanes, x.range.width, node.act.range.width, words=1, latency=15, target=target
    )
    return total + activation_cost(node.act, folding.lanes, x.shape[2], x.range, target)


def stage(node: Step, inputs: list[Tensor], folding: Folding) -> Stage:
    """One pixel after the other."""
    return window_stage(geometry(inputs[0], folding), interval(node, inputs, folding), 15, 1)
