"""All passes in their order; each is a function from a graph to a graph that means the same."""

from __future__ import annotations

from hwgen.ir.graph import Graph
from hwgen.passes import fuse_activation, merge_pad, widen_columns

PASSES = (merge_pad.run, fuse_activation.run, widen_columns.run)


def run_passes(graph: Graph) -> Graph:
    """The graph as the hardware will compute it."""
    for run in PASSES:
        graph = run(graph)
    return graph
