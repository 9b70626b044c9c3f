"""A border of constants followed by a window becomes the window's own padding."""

from __future__ import annotations

from dataclasses import replace

from hwgen.ir.graph import Graph
from hwgen.ir.node import Node
from hwgen.layers.conv.op import Conv
from hwgen.layers.depthwise.op import Depthwise
from hwgen.layers.pad.op import Pad


def run(graph: Graph) -> Graph:
    """Merge every `pad` whose only readers are convolutions that pad with the same value, or not at all."""
    outputs = {edge.tensor for edge in graph.outputs}
    merged: dict[str, Pad] = {}
    for node in graph.nodes:
        if isinstance(node, Pad) and node.output not in outputs:
            readers = graph.consumers(node.output)
            if readers and all(_takes(reader, node) for reader in readers):
                merged[node.output] = node
    return graph.rebuilt(_with_padding(node, merged) for node in graph.nodes if node.output not in merged)


def _takes(node: Node, pad: Pad) -> bool:
    if not isinstance(node, Conv | Depthwise):
        return False
    return node.pad_value == pad.value or not any(node.window.pad)


def _with_padding(node: Node, merged: dict[str, Pad]) -> Node:
    if not isinstance(node, Conv | Depthwise) or node.inputs[0] not in merged:
        return node
    pad = merged[node.inputs[0]]
    top, bottom, left, right = (a + b for a, b in zip(node.window.pad, pad.pad, strict=True))
    window = replace(node.window, pad=(top, bottom, left, right))
    return replace(node, inputs=pad.inputs, window=window, pad_value=pad.value)
