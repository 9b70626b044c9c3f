"""Maxima on an array that only adds: max(a, b) = a + max(b - a, 0), exactly, in two requantised additions.

A window's maximum is found along each axis in turn, the maxima of 1, 2, 4 ... neighbours from each other;
strides are taken as soon as an axis is done. Four passes of the image a doubling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hwgen.ir.graph import Graph
from hwgen.ir.node import Node
from hwgen.layers.maxpool.op import MaxPool
from hwgen.layers.pad.op import Pad
from hwgen.layers.requantize import table
from hwgen.layers.staircase.op import Step
from hwgen.layers.sumpool.op import SumPool
from hwgen.layers.window import Window
from hwgen.numeric.ranges import Range
from hwgen.numeric.requantise import fit_requantised
from hwgen.plan.systolic.fit import GAINS, Numbers, Unfit, form_of
from hwgen.plan.systolic.inner import INSIDE, Raised, Rise
from hwgen.plan.systolic.job import Job, Nest, TooMuch, block_stream
from hwgen.plan.systolic.layout import View
from hwgen.plan.systolic.tiling import LONGEST, Tiler
from hwgen.program.array import Array


def added(graph: Graph, array: Array) -> Graph:
    """The graph with every maximum as additions, unless the array takes maxima."""
    if array.maximum or not any(isinstance(node, MaxPool) for node in graph.nodes):
        return graph
    nodes: list[Node] = []
    for node in graph.nodes:
        nodes += _steps(node, graph) if isinstance(node, MaxPool) else [node]
    return graph.rebuilt(nodes)


def _steps(node: MaxPool, graph: Graph) -> list[Node]:
    x = graph.tensors[node.inputs[0]]
    window, nodes, at = node.window, list[Node](), [x.shape[0], x.shape[1]]

    def name() -> str:
        return f"{node.name}{INSIDE}{len(nodes)}"

    def newest() -> str:
        return nodes[-1].output if nodes else x.name

    if any(window.pad):
        top, bottom, left, right = window.pad
        at = [at[0] + top + bottom, at[1] + left + right]
        nodes.append(Pad(name=name(), inputs=(x.name,), output=name(), pad=window.pad, value=x.range.lo))
        nodes.append(_same(newest(), name(), x.range))  # alone in its storage, borders and all
    moves = [_doublings(k) for k in window.kernel]
    axes = [axis for axis in (1, 0) if moves[axis]]
    for axis in axes:
        for number, shift in enumerate(moves[axis]):
            source, rise = newest(), name()
            step = (shift, 0) if axis == 0 else (0, shift)
            nodes.append(Rise(name=rise, inputs=(source,), output=rise, shift=step))
            at[axis] -= shift
            stride = [1, 1]
            if number == len(moves[axis]) - 1:
                stride[axis] = window.stride[axis]
                if axis == axes[-1] and not moves[1 - axis]:
                    stride[1 - axis] = window.stride[1 - axis]
            at = [(length - 1) // s + 1 for length, s in zip(at, stride, strict=True)]
            made = name()
            nodes.append(
                Raised(name=made, inputs=(source, rise), output=made, stride=_two(stride), size=_two(at))
            )
    if not axes:  # nothing to compare, a stride at most
        act = _same(newest(), "", x.range).act if node.act is None else node.act
        source, kept = newest(), Window((1, 1), window.stride)
        nodes.append(SumPool(name=name(), inputs=(source,), output=name(), window=kept, act=act))
    elif node.act is not None:
        nodes.append(Step(name=name(), inputs=(newest(),), output=name(), act=node.act))
    nodes[-1] = replace(nodes[-1], output=node.output, source=node.source)
    return nodes


def _doublings(kernel: int) -> list[int]:
    """Shifts that make a maximum of `kernel` neighbours of one of one."""
    shifts, covered = [], 1
    while covered < kernel:
        shifts.append(min(covered, kernel - covered))
        covered += shifts[-1]
    return shifts


def _two(values: Sequence[int]) -> tuple[int, int]:
    a, b = values
    return a, b


def _same(source: str, name: str, values: Range) -> Step:
    numbers = np.arange(values.lo, values.hi + 1)
    return Step(name=name, inputs=(source,), output=name, act=table(numbers, values.lo))


def numbers(node: Rise | Raised, array: Array) -> Numbers:
    """Weights (2, 1, 1) of the two tensors that are added, and the requantisation of their sums."""
    if isinstance(node, Rise):
        stair, weights = table(np.clip(np.arange(-255, 256), 0, 255) - 128, -255), [-1, 1]
    else:
        stair, weights = table(np.arange(-128, 128), -256), [1, 1]
    none = np.zeros(1, dtype=np.int64)
    for gain in reversed(GAINS):
        fit = fit_requantised(stair, form_of(array), none, gain)
        if not fit.unfit:
            return Numbers(np.array(weights).reshape(2, 1, 1) * gain, none, fit)
    raise Unfit("no multiplier, shift and bias add without a change")


def pair(
    numbers: Numbers, x: View, distance: int, stride: tuple[int, int], out: View, array: Array
) -> list[Job]:
    """out = requantised(w0 * x + w1 * what lies `distance` bytes behind), a row of outputs a tile."""
    height, width, channels = out.shape
    sy, sx = stride
    words = -(-channels // array.columns)
    if words > min(LONGEST, array.depth):
        raise TooMuch(f"maxima of {channels} channels")
    tiler = Tiler(array, 2, 1, lambda r, c: c * words if r == 1 else array.depth + 1)
    runs = []
    for tiles in tiler.cover(height, width):
        runs.append(
            Nest(
                x=x.address + tiles.y * sy * x.row + tiles.x * sx * x.pixel,
                n=((words, array.columns), (tiles.columns, sx * x.pixel)), p=((2, distance), (1, 0)),
                b=(1, 0), t=(tiles.count, sy * x.row),
                o=out.address + tiles.y * out.row + tiles.x * out.pixel,
                d=((words, array.columns), (tiles.columns, out.pixel)), index=(1, words), ot=out.row,
            ).run(numbers.fit, depthwise=True)
        )  # fmt: skip
    stream = np.zeros((2, array.rows, array.columns), dtype=np.int64)
    stream[:, 0] = numbers.weights[:, 0]
    every = np.zeros(array.columns, dtype=np.int64)
    block = block_stream(numbers.fit, numbers.constant, every, stream.reshape(-1, array.columns), array)
    return [Job(runs, [block])]
