"""What every channel of every tensor can be, and staircases cut down to what they can meet.

A tensor's range is that of all its channels; a channel of its own is often narrower (pruned networks have
channels that never change). Steps beyond need not be exact, and rows without steps fit every form.
"""

from __future__ import annotations

import numpy as np

from hwgen.ir.graph import Graph
from hwgen.ir.node import Node
from hwgen.layers.add.op import Add
from hwgen.layers.conv.op import Conv
from hwgen.layers.depthwise.op import Depthwise
from hwgen.layers.maxpool.op import MaxPool
from hwgen.layers.pad.op import Pad
from hwgen.layers.staircase.op import Step
from hwgen.layers.sumpool.op import SumPool
from hwgen.numeric.rounding import Ints
from hwgen.numeric.staircase import Staircase
from hwgen.plan.systolic.inner import Together

Reach = tuple[Ints, Ints]
"""Lowest and highest value of each channel."""


class Reaches:
    """Per tensor name the reach of its values; per node name that of what goes into its activation."""

    def __init__(self, graph: Graph) -> None:
        self.values: dict[str, Reach] = {}
        self.sums: dict[str, Reach] = {}
        for edge in graph.inputs:
            self.values[edge.tensor] = _whole(graph, edge.tensor)
        for node in graph.nodes:
            inputs = [self.values[name] for name in node.inputs]
            sums = _sums(node, inputs)
            act = getattr(node, "act", None)
            if sums is None or (act is not None and act.pixel_rows is not None):
                self.values[node.output] = _whole(graph, node.output)
                continue
            self.sums[node.name] = sums
            self.values[node.output] = _through(act, sums) if act is not None else sums


def _whole(graph: Graph, name: str) -> Reach:
    tensor = graph.tensors[name]
    channels = tensor.shape[2]
    return np.full(channels, tensor.range.lo, np.int64), np.full(channels, tensor.range.hi, np.int64)


def _through(act: Staircase, sums: Reach) -> Reach:
    spread = act.expanded(len(sums[0]))
    ends = np.array([[int(spread.row(r, np.array(x[r]))) for r in range(spread.rows)] for x in sums])
    return ends.min(axis=0), ends.max(axis=0)


def _with(reach: Reach, value: int, really: bool) -> Reach:
    return (np.minimum(reach[0], value), np.maximum(reach[1], value)) if really else reach


def _weighed(weights: Ints, reach: Reach, axes: tuple[int, ...]) -> Reach:
    """Bounds of sum(weights * x) over `axes`; the last axis of weights is that of reach."""
    ends = weights * reach[0], weights * reach[1]
    return np.minimum(*ends).sum(axis=axes), np.maximum(*ends).sum(axis=axes)


def _sums(node: Node, inputs: list[Reach]) -> Reach | None:
    """What goes into the node's activation, or out of it if it has none; None: anything in its range."""
    if isinstance(node, Conv | Depthwise) and node.values is None:
        x = _with(inputs[0], node.pad_value, any(node.window.pad))
        lo, hi = _weighed(node.weights, x, node.summed)
        return lo + node.bias, hi + node.bias
    if isinstance(node, Add):
        (a, b), (ta, tb), (oa, ob) = inputs, node.tables, node.offsets
        return ta[a[0] - oa] + tb[b[0] - ob], ta[a[1] - oa] + tb[b[1] - ob]
    if isinstance(node, SumPool):
        area = node.window.kernel[0] * node.window.kernel[1]
        lo, hi = (each * area for each in inputs[0])
        return _with((lo, hi), 0, any(node.window.pad))
    if isinstance(node, MaxPool | Step):
        return inputs[0]
    if isinstance(node, Together):
        lo, hi = (np.concatenate(ends) for ends in zip(*inputs))
        return lo, hi
    if isinstance(node, Pad):
        return _with(inputs[0], node.value, True)
    return None


def narrowed(stair: Staircase, reach: Reach) -> Staircase:
    """The same function on its rows' parts of lo..hi alone."""
    lo = np.maximum(stair.lo, reach[0])
    hi = np.minimum(stair.hi, reach[1])
    hi = np.maximum(lo, hi)
    passed = np.sum(stair.steps <= lo[:, None], axis=1)
    k = np.arange(stair.steps.shape[1])[None, :] + passed[:, None]
    inside = k < stair.steps.shape[1]
    moved = np.take_along_axis(stair.steps, np.where(inside, k, 0), axis=1)
    steps = np.where(inside & (moved <= hi[:, None]), moved, hi[:, None] + 1)
    return Staircase(steps, stair.base + stair.sign * passed, stair.sign, lo, hi)


def mirrored(stair: Staircase, rows: np.ndarray) -> Staircase:
    """The staircase of -x in these rows: falling ones rise."""
    reached = stair.steps <= stair.hi[:, None]
    flipped = np.where(reached, 1 - stair.steps, 1 - stair.lo[:, None])
    pick = rows[:, None]
    steps = np.where(pick, np.sort(flipped, axis=1), stair.steps)
    lo, hi = np.where(rows, -stair.hi, stair.lo), np.where(rows, -stair.lo, stair.hi)
    return Staircase(
        steps, np.where(rows, stair.top, stair.base), np.where(rows, -stair.sign, stair.sign), lo, hi
    )
