"""Foldings, cycles and cost of `columns`."""

from __future__ import annotations

from math import ceil

from hwgen.ir.tensor import Tensor
from hwgen.layers.columns.op import Columns
from hwgen.layers.folding import Folding, Stage
from hwgen.targets.base import Target
from hwgen.targets.resources import Resources


def foldings(node: Columns, inputs: list[Tensor]) -> list[Folding]:
    """A pixel in, a window's columns out."""
    channels = inputs[0].shape[2]
    return [Folding(channels, node.width * channels, node.width * channels)]


def products(node: Columns, inputs: list[Tensor], folding: Folding, target: Target) -> list[str]:
    """None."""
    return [""]


def interval(node: Columns, inputs: list[Tensor], folding: Folding) -> int:
    """Clocks per output pixel: every input pixel takes one."""
    columns = inputs[0].shape[1]
    return ceil(columns / ((columns - node.width) // node.stride + 1))


def work(node: Columns, inputs: list[Tensor], folding: Folding) -> int:
    """Clocks an inference: one an input pixel."""
    height, columns, _ = inputs[0].shape
    return height * columns


def cost(node: Columns, inputs: list[Tensor], folding: Folding, target: Target) -> Resources:
    """Pixels held and the output's register."""
    bits = inputs[0].range.width * inputs[0].shape[2]
    return Resources(lut4=30, ff=20 + (2 * node.width - 1) * bits)


def stage(node: Columns, inputs: list[Tensor], folding: Folding) -> Stage:
    """An output pixel wants its last column; it keeps nothing in the stream."""
    (x,) = inputs
    height, columns, _ = x.shape
    seen = (columns - node.width) // node.stride + 1
    needed = [y * columns + at * node.stride + node.width - 1 for y in range(height) for at in range(seen)]
    first = [y * columns + at * node.stride for y in range(height) for at in range(seen)]
    return Stage(needed, first, 1, 1, node.width + 1)
