"""Activations that carry codes become plain integers again, for engines that have no products of codes."""

from __future__ import annotations

from dataclasses import replace

from hwgen.ir.graph import Graph
from hwgen.ir.node import Node
from hwgen.layers.conv.op import Conv
from hwgen.layers.depthwise.op import Depthwise
from hwgen.layers.staircase.op import Step
from hwgen.numeric.rounding import Ints, ints
from hwgen.numeric.staircase import from_function


def run(graph: Graph) -> Graph:
    """A staircase from codes to values before every layer that takes codes; `fuse_activation` joins it to the
    layer before."""
    nodes: list[Node] = []
    made: dict[tuple[str, tuple[int, ...]], str] = {}
    for node in graph.nodes:
        if isinstance(node, Conv | Depthwise) and node.values is not None:
            (source,), values = node.inputs, node.values
            if (source, values) not in made:
                made[source, values] = f"{node.output}:values"
                nodes.append(_step(node, values, graph, made[source, values]))
            border = values[node.pad_value] if any(node.window.pad) else 0
            node = replace(node, inputs=(made[source, values],), values=None, pad_value=border)
        nodes.append(node)
    return graph.rebuilt(nodes)


def _step(node: Conv | Depthwise, values: tuple[int, ...], graph: Graph, output: str) -> Step:
    table: Ints = ints(values)
    held = graph.tensors[node.inputs[0]].range
    act = from_function(lambda code: table[code.clip(held.lo, held.hi)], ints([held.lo]), ints([held.hi]))
    return Step(name=f"{node.name}:values", inputs=node.inputs, output=output, act=act)
