"""A loaded network: the golden model behind the model file's own types and shapes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwgen.golden.edges import enter, leave
from hwgen.golden.run import execute
from hwgen.ir.graph import Graph
from hwgen.numeric.rounding import Ints
from hwgen.support.errors import UsageError


@dataclass(frozen=True, eq=False)
class Net:
    """What `hwgen.load` returns.

    graph: the integer network. path, sha256: the file it came from. `run` is the golden model: equal,
    element by element, to the runtime that `graph.runtime` names.
    """

    graph: Graph
    path: Path
    sha256: str

    @property
    def name(self) -> str:
        """The model's name, from its file name."""
        return self.graph.name

    def run(self, x: NDArray | dict[str, NDArray]) -> NDArray | dict[str, NDArray]:
        """Outputs for a batch: arrays have the model's own types and shapes, batch first.

        One array in, one out; a model with several inputs or outputs takes or gives them by name.
        """
        values = execute(self.graph, self.enter(x))
        outputs = self.leave(values)
        return outputs if len(outputs) > 1 else next(iter(outputs.values()))

    def enter(self, x: NDArray | dict[str, NDArray]) -> dict[str, Ints]:
        """Integers by tensor name, (N, H, W, C), for the model's own arrays."""
        edges = self.graph.inputs
        arrays = x if isinstance(x, dict) else {edges[0].name: x}
        wanted = {edge.name for edge in edges}
        if arrays.keys() != wanted:
            raise UsageError(f"inputs must be {', '.join(sorted(wanted))}, not {', '.join(sorted(arrays))}")
        return {e.tensor: enter(e, self.graph.tensors[e.tensor], np.asarray(arrays[e.name])) for e in edges}

    def leave(self, values: dict[str, Ints]) -> dict[str, NDArray]:
        """The model's own output arrays by name, for integers by tensor name."""
        return {e.name: leave(e, self.graph.tensors[e.tensor], values[e.tensor]) for e in self.graph.outputs}

    def random_inputs(self, count: int, seed: int = 0) -> dict[str, Ints]:
        """`count` inputs by tensor, uniform over the full range but for one all-lowest, one all-highest."""
        rng = np.random.default_rng(seed)
        inputs = {}
        for edge in self.graph.inputs:
            tensor = self.graph.tensors[edge.tensor]
            x = rng.integers(tensor.range.lo, tensor.range.hi, (count, *tensor.shape), endpoint=True)
            for index, value in zip(range(1, count), (tensor.range.lo, tensor.range.hi)):
                x[index] = value
            inputs[edge.tensor] = x
        return inputs

    def inspect(self) -> dict[str, Any]:
        """Layers, shapes, ranges, weights, MACs and notes on exactness as plain data."""
        graph = self.graph
        layers = []
        for node in graph.nodes:
            out = graph.tensors[node.output]
            layers.append(
                {
                    "name": node.name,
                    "kind": node.kind,
                    "what": node.describe(),
                    "shape": list(out.shape),
                    "range": [out.range.lo, out.range.hi],
                    "weights": node.weight_count(),
                    "macs": node.macs(graph.node_inputs(node)),
                }
            )
        edges = {
            side: [
                {
                    "name": edge.name,
                    "shape": list(edge.shape),
                    "dtype": edge.dtype,
                    "range": [graph.tensors[edge.tensor].range.lo, graph.tensors[edge.tensor].range.hi],
                }
                for edge in side_edges
            ]
            for side, side_edges in (("inputs", graph.inputs), ("outputs", graph.outputs))
        }
        return {
            "model": graph.name,
            "sha256": self.sha256,
            "runtime": graph.runtime,
            **edges,
            "layers": layers,
            "weights": sum(layer["weights"] for layer in layers),
            "macs": graph.macs,
            "notes": list(graph.notes),
        }


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
