"""Foldings, cycles and cost of `depthwise`."""

from __future__ import annotations

from math import ceil

from hwgen.hw.mvu import reducer_cost
from hwgen.hw.window_math import WindowGeometry
from hwgen.ir.tensor import Tensor
from hwgen.layers.activation import activation_cost
from hwgen.layers.depthwise.op import Depthwise
from hwgen.layers.folding import Folding, Stage, divisors, drain_cost, fewest_lanes, window_cost, window_stage
from hwgen.numeric.ranges import Range
from hwgen.targets.base import Target
from hwgen.targets.resources import Resources
from hwgen.weights.code import FORMS

LATENCY = 35  # about what window, products and activation take together


def words(node: Depthwise) -> int:
    """Clocks of a group."""
    return node.window.kernel[0] * node.window.kernel[1]


def geometry(node: Depthwise, x: Tensor, folding: Folding) -> WindowGeometry:
    """What the window does."""
    window = node.window
    return WindowGeometry(x.shape, window.kernel, window.stride, window.pad, folding.simd, "depthwise")


def foldings(node: Depthwise, inputs: list[Tensor]) -> list[Folding]:
    """Every divisor of the channels; input and output channels are the same lanes."""
    return [Folding(pe, pe, fewest_lanes(pe, words(node))) for pe in divisors(node.weights.shape[2])]


def products(node: Depthwise, inputs: list[Tensor], folding: Folding, target: Target) -> list[str]:
    """Product forms for these weights and this target: those of single outputs, as no inputs are shared."""
    args = node.levels, inputs[0].range, 1, 1, target
    return [name for name, form in FORMS.items() if form.suits(*args)]


def multipliers(node: Depthwise, inputs: list[Tensor], folding: Folding) -> int:
    """Products a clock."""
    return folding.pe


def interval(node: Depthwise, inputs: list[Tensor], folding: Folding) -> int:
    """Clocks per output pixel."""
    shape = geometry(node, inputs[0], folding)
    return ceil(shape.cycles / (shape.out_size[0] * shape.out_size[1]))


def raw_range(node: Depthwise, x: Tensor) -> Range:
    """Range of the accumulators, bias not included."""
    lo, hi = node.acc_bounds(x.range)
    return Range(int((lo - node.bias).min()), int((hi - node.bias).max()))


def cost(node: Depthwise, inputs: list[Tensor], folding: Folding, target: Target) -> Resources:
    """Window, products and accumulators, weights, activation and queue."""
    (x,) = inputs
    total = window_cost(geometry(node, x, folding), x.range.width, target)
    acc = raw_range(node, x)
    total += reducer_cost(
        form=FORMS[folding.product],
        simd=1,
        pe=folding.pe,
        lanes=folding.pe,
        depth=node.weights.size // folding.pe,
        levels=node.levels,
        value=x.range,
        accumulator=acc,
        target=target,
    )
    out = node.act.range if node.act else acc
    total += drain_cost(
        folding.pe, folding.lanes, acc.width, out.width,
        words=words(node), latency=LATENCY, target=target,
    )  # fmt: skip
    if node.act is not None:
        total += activation_cost(node.raw_act, folding.lanes, x.shape[2], acc, target, -node.bias)
    return total


def stage(node: Depthwise, inputs: list[Tensor], folding: Folding) -> Stage:
    """Rows of the window, one pixel every interval."""
    return window_stage(geometry(node, inputs[0], folding), interval(node, inputs, folding), 30, words(node))
