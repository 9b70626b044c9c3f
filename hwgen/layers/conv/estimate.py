"""Foldings, cycles and cost of `conv`."""

from __future__ import annotations

from math import ceil

from hwgen.hw.mvu import reducer_cost
from hwgen.hw.window_math import WindowGeometry
from hwgen.ir.tensor import Tensor
from hwgen.layers.activation import activation_cost
from hwgen.layers.conv.op import Conv
from hwgen.layers.folding import Folding, Stage, divisors, drain_cost, fewest_lanes, window_cost, window_stage
from hwgen.numeric.ranges import Range
from hwgen.targets.base import Target
from hwgen.targets.resources import Resources
from hwgen.weights.code import FORMS

LARGEST = 4096  # products a clock in one layer
LATENCY = 35  # about what window, products and activation take together


def words(node: Conv, simd: int) -> int:
    """Clocks of a group."""
    return node.weights[0].size // simd


def geometry(node: Conv, x: Tensor, folding: Folding) -> WindowGeometry:
    """What the window does."""
    window, repeat = node.window, len(node.weights) // folding.pe
    return WindowGeometry(x.shape, window.kernel, window.stride, window.pad, folding.simd, "dense", repeat)


def foldings(node: Conv, inputs: list[Tensor]) -> list[Folding]:
    """Every pair of divisors of the input and output channels."""
    outputs, _, _, channels = node.weights.shape
    return [
        Folding(simd, pe, fewest_lanes(pe, words(node, simd)))
        for simd in divisors(channels)
        for pe in divisors(outputs)
        if simd * pe <= LARGEST
    ]


def products(node: Conv, inputs: list[Tensor], folding: Folding, target: Target) -> list[str]:
    """Product forms for these weights and this target."""
    args = node.levels, inputs[0].range, folding.simd, folding.pe, target
    return [name for name, form in FORMS.items() if form.suits(*args)]


def multipliers(node: Conv, inputs: list[Tensor], folding: Folding) -> int:
    """Products a clock."""
    return folding.simd * folding.pe


def interval(node: Conv, inputs: list[Tensor], folding: Folding) -> int:
    """Clocks per output pixel: the work, or the arrival of the input where strides skip most of it."""
    shape = geometry(node, inputs[0], folding)
    return ceil(shape.cycles / (shape.out_size[0] * shape.out_size[1]))


def raw_range(node: Conv, x: Tensor) -> Range:
    """Range of the accumulators, bias not included."""
    lo, hi = node.acc_bounds(x.range)
    return Range(int((lo - node.bias).min()), int((hi - node.bias).max()))


def cost(node: Conv, inputs: list[Tensor], folding: Folding, target: Target) -> Resources:
    """Window, products and accumulators, weights, activation and queue."""
    (x,) = inputs
    total = window_cost(geometry(node, x, folding), x.range.width, target)
    acc = raw_range(node, x)
    total += reducer_cost(
        form=FORMS[folding.product],
        simd=folding.simd,
        pe=folding.pe,
        lanes=folding.simd,
        depth=node.weights.size // (folding.simd * folding.pe),
        levels=node.levels,
        value=x.range,
        accumulator=acc,
        target=target,
    )
    out = node.act.range if node.act else acc
    total += drain_cost(
        folding.pe, folding.lanes, acc.width, out.width,
        words=words(node, folding.simd), latency=LATENCY, target=target,
    )  # fmt: skip
    if node.act is not None:
        total += activation_cost(node.raw_act, folding.lanes, len(node.weights), acc, target, -node.bias)
    return total


def stage(node: Conv, inputs: list[Tensor], folding: Folding) -> Stage:
    """Rows of the window, one pixel every interval."""
    return window_stage(
        geometry(node, inputs[0], folding), interval(node, inputs, folding), 30, words(node, folding.simd)
    )
