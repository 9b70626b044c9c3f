"""The graph: nodes in the order in which they can be computed, tensors by name, edges."""

from __future__ import annotations

from collections.abc import Iterable

from hwgen.ir.node import IllegalNode, Node
from hwgen.ir.tensor import Edge, Tensor


class Graph:
    """A network of integer operations.

    Built front to back: `add_input`, then `add` each node (its inputs must exist), then
    `add_output`. Shapes and ranges of all tensors are inferred as nodes are added, so that a graph
    that exists is legal. `runtime` names the rounding rule that it reproduces. `notes`: what a person
    should know about its exactness, one line each.
    """

    def __init__(self, name: str, runtime: str) -> None:
        self.name = name
        self.runtime = runtime
        self.nodes: list[Node] = []
        self.tensors: dict[str, Tensor] = {}
        self.inputs: list[Edge] = []
        self.outputs: list[Edge] = []
        self.notes: list[str] = []

    def add_input(self, edge: Edge, tensor: Tensor) -> None:
        """Declare a model input and the tensor that carries it."""
        self._declare(tensor)
        self.inputs.append(edge)

    def add(self, node: Node) -> Tensor:
        """Append a node; returns its output tensor."""
        missing = [name for name in node.inputs if name not in self.tensors]
        if missing:
            raise IllegalNode(f"{node.name} reads {', '.join(missing)}, which nothing before it makes")
        tensor = node.infer([self.tensors[name] for name in node.inputs])
        self._declare(tensor)
        self.nodes.append(node)
        return tensor

    def add_output(self, edge: Edge) -> None:
        """Declare a model output."""
        if edge.tensor not in self.tensors:
            raise IllegalNode(f"output {edge.name} names {edge.tensor}, which nothing makes")
        self.outputs.append(edge)

    def node_inputs(self, node: Node) -> list[Tensor]:
        """Tensors that a node reads."""
        return [self.tensors[name] for name in node.inputs]

    def consumers(self, tensor: str) -> list[Node]:
        """Nodes that read a tensor."""
        return [node for node in self.nodes if tensor in node.inputs]

    def producer(self, tensor: str) -> Node | None:
        """The node that makes a tensor; None for an input."""
        return next((node for node in self.nodes if node.output == tensor), None)

    def rebuilt(self, nodes: Iterable[Node]) -> Graph:
        """The same edges around other nodes (what a pass returns): everything is inferred anew."""
        graph = Graph(self.name, self.runtime)
        graph.notes = list(self.notes)
        for edge in self.inputs:
            graph.add_input(edge, self.tensors[edge.tensor])
        for node in nodes:
            graph.add(node)
        for edge in self.outputs:
            graph.add_output(edge)
        return graph

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(node.macs(self.node_inputs(node)) for node in self.nodes)

    def _declare(self, tensor: Tensor) -> None:
        if tensor.name in self.tensors:
            raise IllegalNode(f"tensor {tensor.name} is made twice")
        if min(tensor.shape) < 1:
            raise IllegalNode(f"tensor {tensor.name} is empty: {tensor.shape}")
        self.tensors[tensor.name] = tensor
