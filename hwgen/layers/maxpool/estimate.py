"""Foldings, cycles and cost of `maxpool`."""

from __future__ import annotations

from hwgen.ir.tensor import Tensor
from hwgen.layers import pooling
from hwgen.layers.activation import activation_cost
from hwgen.layers.folding import Folding, Stage, drain_cost, window_cost
from hwgen.layers.maxpool.op import MaxPool
from hwgen.targets.base import Target
from hwgen.targets.resources import Resources


def foldings(node: MaxPool, inputs: list[Tensor]) -> list[Folding]:
    """Every divisor of the channels."""
    return pooling.foldings(node.window, inputs[0])


def products(node: MaxPool, inputs: list[Tensor], folding: Folding, target: Target) -> list[str]:
    """None: there is nothing to multiply."""
    return [""]


def interval(node: MaxPool, inputs: list[Tensor], folding: Folding) -> int:
    """Clocks per output pixel."""
    return pooling.interval(node.window, inputs[0], folding)


def work(node: MaxPool, inputs: list[Tensor], folding: Folding) -> int:
    """Clocks an inference."""
    return pooling.work(node.window, inputs[0], folding)


def cost(node: MaxPool, inputs: list[Tensor], folding: Folding, target: Target) -> Resources:
    """Window, a comparator and a multiplexer a lane, queue."""
    (x,) = inputs
    width = x.range.width
    total = window_cost(pooling.geometry(node.window, x, folding), width, target)
    total += Resources(lut4=2 * width * folding.pe, ff=2 * width * folding.pe)
    total += drain_cost(
        folding.pe, folding.lanes, width, width,
        words=pooling.words(node.window, x), latency=pooling.LATENCY, target=target,
    )  # fmt: skip
    return total + activation_cost(node.act, folding.lanes, x.shape[2], x.range, target)


def stage(node: MaxPool, inputs: list[Tensor], folding: Folding) -> Stage:
    """Rows of the window, one pixel every interval."""
    return pooling.stage(node.window, inputs[0], folding)
