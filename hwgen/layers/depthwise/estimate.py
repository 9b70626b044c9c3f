"""Foldings, cycles and cost of `depthwise`."""

from __future__ import annotations

from math import ceil

from hwgen.hw.vvu import vvu_cost
from hwgen.hw.window_math import WindowGeometry
from hwgen.ir.tensor import Tensor
from hwgen.layers.activation import activation_cost
from hwgen.layers.depthwise.op import Depthwise
from hwgen.layers.folding import Folding, Stage, divisors, drain_cost, fewest_lanes, window_cost, window_stage
from hwgen.numeric.ranges import Range
from hwgen.targets.base import Target
from hwgen.targets.resources import Resources


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
    """Product forms for this target; two products in a multiplier need a shared input, which is not here."""
    return ["dsp", "lut"] if target.instances else ["generic"]


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
    total = window_cost(geometry(node, x, folding), x.range.width)
    total += vvu_cost(
        node.weights.reshape(-1, node.weights.shape[2]),
        pe=folding.pe,
        value=x.range,
        form=folding.product,
        target=target,
    )
    acc = raw_range(node, x)
    out = node.act.range if node.act else acc
    total += drain_cost(folding.pe, folding.lanes, acc.width, out.width)
    if node.act is not None:
        total += activation_cost(node.raw_act, folding.lanes, x.shape[2], acc, target, -node.bias)
    return total


def stage(node: Depthwise, inputs: list[Tensor], folding: Folding) -> Stage:
    """Rows of the window, one pixel every interval."""
    return window_stage(geometry(node, inputs[0], folding), interval(node, inputs, folding), 30)
