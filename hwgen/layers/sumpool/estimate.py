"""Foldings, cycles and cost of `sumpool`."""

from __future__ import annotations

from hwgen.ir.tensor import Tensor
from hwgen.layers import pooling
from hwgen.layers.activation import activation_cost
from hwgen.layers.folding import Folding, Stage, drain_cost, window_cost
from hwgen.layers.sumpool.op import SumPool
from hwgen.targets.base import Target
from hwgen.targets.resources import Resources


def foldings(node: SumPool, inputs: list[Tensor]) -> list[Folding]:
    """Every divisor of the channels."""
    (x,) = inputs
    if pooling.is_global(node.window, x):
        return pooling.global_foldings(x)
    return pooling.foldings(node.window, x)


def products(node: SumPool, inputs: list[Tensor], folding: Folding, target: Target) -> list[str]:
    """None: there is nothing to multiply."""
    return [""]


def interval(node: SumPool, inputs: list[Tensor], folding: Folding) -> int:
    """Clocks per output pixel."""
    (x,) = inputs
    if pooling.is_global(node.window, x):
        return pooling.global_interval(x, folding)
    return pooling.interval(node.window, x, folding)


def work(node: SumPool, inputs: list[Tensor], folding: Folding) -> int:
    """Clocks an inference."""
    (x,) = inputs
    if pooling.is_global(node.window, x):
        return pooling.global_interval(x, folding)
    return pooling.work(node.window, x, folding)


def cost(node: SumPool, inputs: list[Tensor], folding: Folding, target: Target) -> Resources:
    """Window or totals, an adder a lane, activation, queue."""
    (x,) = inputs
    acc = node.acc_range(x.range).width
    out = node.act.range.width if node.act else acc
    if pooling.is_global(node.window, x):
        blocks = x.shape[2] // folding.simd
        total = Resources(lut4=40 + 2 * acc * folding.simd, ff=40 + 3 * acc * folding.simd)
        if blocks > 1:
            total += target.small_ram(acc * folding.simd, 1 << (blocks - 1).bit_length())
    else:
        total = window_cost(pooling.geometry(node.window, x, folding), x.range.width, target)
        total += Resources(lut4=acc * folding.pe, ff=acc * folding.pe)
    total += drain_cost(
        folding.pe, folding.lanes, acc, out,
        words=pooling.words(node.window, x), latency=pooling.LATENCY, target=target,
    )  # fmt: skip
    return total + activation_cost(node.act, folding.lanes, x.shape[2], node.acc_range(x.range), target)


def stage(node: SumPool, inputs: list[Tensor], folding: Folding) -> Stage:
    """Rows of the window, one pixel every interval; or the whole image at once."""
    (x,) = inputs
    if pooling.is_global(node.window, x):
        return pooling.global_stage(x, folding)
    return pooling.stage(node.window, x, folding)
