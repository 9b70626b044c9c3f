"""Executes a graph in NumPy: the reference that hardware must equal, integer for integer."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from hwgen.ir.graph import Graph
from hwgen.numeric.rounding import Ints
from hwgen.support.registry import modules


@cache
def golden_functions() -> dict[str, Callable[..., Ints]]:
    """run(node, *inputs) of every layer, by its kind."""
    return {module.__name__.split(".")[-2]: module.run for module in modules("hwgen.layers", "golden")}


def execute(graph: Graph, inputs: dict[str, Ints], keep: bool = False) -> dict[str, Ints]:
    """Output tensors (with `keep` every tensor) of a batch; arrays are (N, H, W, C) int64 by tensor name.

    Raises OverflowError if a value leaves its inferred range: a wrong range would be a wrong width.
    """
    functions = golden_functions()
    values = {name: np.asarray(x, dtype=np.int64) for name, x in inputs.items()}
    last_use = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
    wanted = {edge.tensor for edge in graph.outputs}
    for i, node in enumerate(graph.nodes):
        result = functions[node.kind](node, *(values[name] for name in node.inputs))
        limits = graph.tensors[node.output].range
        if result.size and (result.min() < limits.lo or result.max() > limits.hi):
            raise OverflowError(f"{node.name}: {result.min()}..{result.max()} leaves {limits}")
        values[node.output] = result
        for name in node.inputs:
            if not keep and last_use[name] == i and name not in wanted:
                values.pop(name, None)
    return values if keep else {name: values[name] for name in wanted}
