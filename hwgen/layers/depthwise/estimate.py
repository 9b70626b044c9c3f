"""Foldings, cycles and cost of `depthwise`."""

from __future__ import annotations

from hwgen.hw.window_math import WindowGeometry
from hwgen.ir.tensor import Tensor
from hwgen.layers import weighted_unit
from hwgen.layers.depthwise.op import Depthwise
from hwgen.layers.folding import Folding, Stage, divisors, fewest_lanes
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
    return [Folding(pe, pe, fewest_lanes(pe, words(node))) for pe in divisors(node.outputs)]


def products(node: Depthwise, inputs: list[Tensor], folding: Folding, target: Target) -> list[str]:
    """Product forms for these weights and this target: those of single outputs, as no inputs are shared."""
    return weighted_unit.products(node, inputs[0], 1, 1, target)


def multipliers(node: Depthwise, inputs: list[Tensor], folding: Folding) -> int:
    """Products a clock."""
    return folding.pe


def interval(node: Depthwise, inputs: list[Tensor], folding: Folding) -> int:
    """Clocks per output pixel."""
    return weighted_unit.interval(geometry(node, inputs[0], folding))


def work(node: Depthwise, inputs: list[Tensor], folding: Folding) -> int:
    """Clocks an inference."""
    return geometry(node, inputs[0], folding).cycles


def cost(node: Depthwise, inputs: list[Tensor], folding: Folding, target: Target) -> Resources:
    """Of the whole unit."""
    shape = geometry(node, inputs[0], folding)
    return weighted_unit.cost(node, inputs[0], folding, shape, simd=1, words=words(node), target=target)


def stage(node: Depthwise, inputs: list[Tensor], folding: Folding) -> Stage:
    """Rows of the window, one pixel every interval."""
    return weighted_unit.stage(geometry(node, inputs[0], folding), words(node))
