"""A staircase after a layer that can carry an activation becomes that layer's activation."""

from __future__ import annotations

from dataclasses import replace

from hwgen.ir.graph import Graph
from hwgen.ir.node import Node
from hwgen.layers.conv.op import Conv
from hwgen.layers.depthwise.op import Depthwise
from hwgen.layers.maxpool.op import MaxPool
from hwgen.layers.staircase.op import Step
from hwgen.layers.sumpool.op import SumPool

Carrier = Conv | Depthwise | MaxPool | SumPool | Step


def run(graph: Graph) -> Graph:
    """Fuse until nothing changes; a tensor that is read twice or is an output stays."""
    outputs = {edge.tensor for edge in graph.outputs}
    nodes: list[Node] = []
    for node in graph.nodes:
        before = next((n for n in nodes if node.inputs and n.output == node.inputs[0]), None)
        alone = before is not None and len(graph.consumers(before.output)) == 1
        if isinstance(node, Step) and isinstance(before, Carrier) and alone and before.output not in outputs:
            joined = _carry(before, node)
            if joined is not None:
                nodes[nodes.index(before)] = joined
                continue
        nodes.append(node)
    return graph.rebuilt(nodes)


def _carry(before: Carrier, step: Step) -> Node | None:
    act = step.act
    if before.act is not None:
        if before.act.pixel_rows is not None or act.pixel_rows is not None:
            return None
        act = before.act.then(act)
    return replace(before, act=act, output=step.output, source=step.source)
