"""Channels put together: no work for the array, the layers before write into one storage side by side.

A store writes whole words of `columns` bytes, so what a part's last word spoils has to be written later. A
part that something else reads as well, that no layer of the engine writes, or that comes too early is
copied by a `step` that changes nothing; so is a whole with gaps that an addition reads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hwgen.ir.graph import Graph
from hwgen.ir.node import Node
from hwgen.ir.tensor import Tensor
from hwgen.layers.add.op import Add
from hwgen.layers.concat.op import Concat
from hwgen.layers.conv.op import Conv
from hwgen.layers.depthwise.op import Depthwise
from hwgen.layers.maxpool.op import MaxPool
from hwgen.layers.requantize import table
from hwgen.layers.staircase.op import Step
from hwgen.layers.sumpool.op import SumPool
from hwgen.plan.systolic.inner import INSIDE, Raised, Rise, Together
from hwgen.program.array import GRANULE, Array

WRITERS = (Conv, Depthwise, MaxPool, Step, SumPool)
"""Layers that can leave room between the pixels that they write."""
ADDERS = (Add, Raised, Rise)
"""Layers whose inputs have to lie without gaps."""


@dataclass(frozen=True)
class Slot:
    """Where a part lies: in the storage of the tensor `whole`, from byte `first` of its pixels of `pixel`."""

    whole: str
    first: int
    pixel: int


def separated(graph: Graph, array: Array) -> Graph:
    """The graph with every chain of `concat` as one node, and copies where the parts need them."""
    if not any(isinstance(node, Concat) for node in graph.nodes):
        return graph
    written = {node.output: number for number, node in enumerate(graph.nodes)}
    nodes: list[Node] = []
    renamed: dict[str, str] = {}
    for number, node in enumerate(graph.nodes):
        if not isinstance(node, Concat):
            inputs = [renamed.get(name, name) if isinstance(node, ADDERS) else name for name in node.inputs]
            nodes.append(replace(node, inputs=tuple(inputs)))
        elif not _inside(node, graph):
            parts = _leaves(node, graph)
            inputs, before = [], -1
            for position, part in enumerate(parts):
                when = written.get(part, -1)
                if not _writes(part, graph) or when < before or part in parts[:position]:
                    nodes.append(_copy(graph.tensors[part], f"{node.name}{INSIDE}{position}"))
                    part, when = nodes[-1].output, number
                inputs.append(part)
                if graph.tensors[parts[position]].shape[2] % array.columns:
                    before = when
            nodes.append(
                Together(name=node.name, inputs=tuple(inputs), output=node.output, source=node.source)
            )
            added = any(isinstance(reader, ADDERS) for reader in graph.consumers(node.output))
            widths = [graph.tensors[part].shape[2] for part in parts]
            if added and _pixel(widths, array) != _up(sum(widths), array.columns):
                nodes.append(_copy(graph.tensors[node.output], f"{node.name}{INSIDE}"))
                renamed[node.output] = nodes[-1].output
    return graph.rebuilt(nodes)


def slots(graph: Graph, array: Array) -> dict[str, Slot]:
    """Of the whole and of every part of each `Together`."""
    result: dict[str, Slot] = {}
    for node in graph.nodes:
        if isinstance(node, Together):
            widths = [graph.tensors[name].shape[2] for name in node.inputs]
            pixel = _pixel(widths, array)
            result[node.output] = Slot(node.output, 0, pixel)
            for name, first in zip(node.inputs, np.cumsum([0, *widths]).tolist()):
                result[name] = Slot(node.output, first, pixel)
    return result


def complaint(node: Together, graph: Graph) -> str | None:
    """Why the engine cannot put these together."""
    widths = [graph.tensors[name].shape[2] for name in node.inputs[:-1]]
    odd = next((width for width in widths if width % GRANULE), None)
    if odd is None:
        return None
    return f"puts channels behind {odd} others; their number has to be a multiple of {GRANULE}"


def _leaves(node: Concat, graph: Graph) -> list[str]:
    """The tensors of a chain of concatenations, in their order."""
    found = []
    for name in node.inputs:
        producer = graph.producer(name)
        inside = isinstance(producer, Concat) and _inside(producer, graph)
        found += _leaves(producer, graph) if isinstance(producer, Concat) and inside else [name]
    return found


def _inside(node: Concat, graph: Graph) -> bool:
    """Whether nothing but another concatenation reads this one, once."""
    readers = graph.consumers(node.output)
    once = len(readers) == 1 and isinstance(readers[0], Concat) and readers[0].inputs.count(node.output) == 1
    return once and not any(edge.tensor == node.output for edge in graph.outputs)


def _writes(name: str, graph: Graph) -> bool:
    """Whether the layer that makes a part can write it into its place, and nobody else reads it there."""
    return isinstance(graph.producer(name), WRITERS) and len(graph.consumers(name)) == 1


def _copy(tensor: Tensor, name: str) -> Step:
    """A step that changes nothing."""
    values = np.arange(tensor.range.lo, tensor.range.hi + 1)
    return Step(name=name, inputs=(tensor.name,), output=name, act=table(values, tensor.range.lo))


def _pixel(widths: list[int], array: Array) -> int:
    """Bytes of a whole's pixel: room for every part's last word."""
    ends = [first + _up(width, array.columns) for first, width in zip(np.cumsum([0, *widths]), widths)]
    return _up(int(max(ends)), array.columns)


def _up(value: int, step: int) -> int:
    return -(-value // step) * step
