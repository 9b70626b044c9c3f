"""Foldings, cycles and cost of `conv`."""

from __future__ import annotations

from hwgen.hw.window_math import WindowGeometry
from hwgen.ir.tensor import Tensor
from hwgen.layers import weighted_unit
from hwgen.layers.conv.op import Conv
from hwgen.layers.folding import Folding, Stage, divisors, fewest_lanes
from hwgen.targets.base import Target
from hwgen.targets.resources import Resources

LARGEST = 4096  # products a clock in one layer


def words(node: Conv, simd: int) -> int:
    """Clocks of a group."""
    return node.weights[0].size // simd


def geometry(node: Conv, x: Tensor, folding: Folding) -> WindowGeometry:
    """What the window does."""
    window, repeat = node.window, node.outputs // folding.pe
    return WindowGeometry(x.shape, window.kernel, window.stride, window.pad, folding.simd, "dense", repeat)


def foldings(node: Conv, inputs: list[Tensor]) -> list[Folding]:
    """Every pair of divisors of the input and output channels."""
    return [
        Folding(simd, pe, fewest_lanes(pe, words(node, simd)))
        for simd in divisors(node.weights.shape[3])
        for pe in divisors(node.outputs)
        if simd * pe <= LARGEST
    ]


def products(node: Conv, inputs: list[Tensor], folding: Folding, target: Target) -> list[str]:
    """Product forms for these weights and this target."""
    return weighted_unit.products(node, inputs[0], folding.simd, folding.pe, target)


def multipliers(node: Conv, inputs: list[Tensor], folding: Folding) -> int:
    """Products a clock."""
    return folding.simd * folding.pe


def interval(node: Conv, inputs: list[Tensor], folding: Folding) -> int:
    """Clocks per output pixel."""
    return weighted_unit.interval(geometry(node, inputs[0], folding))


def work(node: Conv, inputs: list[Tensor], folding: Folding) -> int:
    """Clocks an inference."""
    return geometry(node, inputs[0], folding).cycles


def cost(node: Conv, inputs: list[Tensor], folding: Folding, target: Target) -> Resources:
    """Of the whole unit."""
    x, simd = inputs[0], folding.simd
    shape = geometry(node, x, folding)
    return weighted_unit.cost(node, x, folding, shape, simd=simd, words=words(node, simd), target=target)


def stage(node: Conv, inputs: list[Tensor], folding: Folding) -> Stage:
    """Rows of the window, one pixel every interval."""
    return weighted_unit.stage(geometry(node, inputs[0], folding), words(node, folding.simd))
