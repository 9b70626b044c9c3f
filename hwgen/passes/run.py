"""All passes in their order; each is a function from a graph to a graph that means the same."""

from __future__ import annotations

from hwgen.ir.graph import Graph
from hwgen.passes import decode, fuse_activation, merge_pad, widen_columns

PASSES = {
    "stream": (merge_pad.run, fuse_activation.run, widen_columns.run),
    "systolic": (merge_pad.run, decode.run, fuse_activation.run),
}


def run_passes(graph: Graph, engine: str = "stream") -> Graph:
    """The graph as an engine will compute it."""
    for run in PASSES[engine]:
        graph = run(graph)
    return graph
