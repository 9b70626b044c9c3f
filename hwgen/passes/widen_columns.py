"""A convolution of few channels gets the columns of its window as channels: more to multiply at a time."""

from __future__ import annotations

from dataclasses import replace

from hwgen.ir.graph import Graph
from hwgen.ir.node import Node
from hwgen.layers.columns.op import Columns
from hwgen.layers.conv.op import Conv
from hwgen.layers.pad.op import Pad
from hwgen.layers.window import Window

FEW = 4  # channels; more fill their lanes by themselves


def run(graph: Graph) -> Graph:
    """Rewrite every such convolution that is more than one column wide."""
    return graph.rebuilt(node for each in graph.nodes for node in _widened(each, graph))


def _widened(node: Node, graph: Graph) -> list[Node]:
    if not isinstance(node, Conv) or node.window.kernel[1] == 1:
        return [node]
    x = graph.tensors[node.inputs[0]]
    (height, width), (down, across) = node.window.kernel, node.window.stride
    if x.shape[2] > FEW or x.shape[1] == width:
        return [node]
    top, bottom, left, right = node.window.pad
    before: list[Node] = []
    tensor = node.inputs[0]
    if left or right:
        tensor = f"{node.output}:padded"
        pad = Pad(
            name=f"{node.name}:pad",
            inputs=node.inputs,
            output=tensor,
            pad=(0, 0, left, right),
            value=node.pad_value,
        )
        before.append(pad)
    columns = Columns(
        name=f"{node.name}:columns",
        inputs=(tensor,),
        output=f"{node.output}:columns",
        width=width,
        stride=across,
    )
    before.append(columns)
    weights = node.weights.reshape(len(node.weights), height, 1, -1)
    window = Window((height, 1), (down, 1), (top, bottom, 0, 0))
    return [*before, replace(node, inputs=(columns.output,), weights=weights, window=window)]
