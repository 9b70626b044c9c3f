"""Builds the graph while importers run: names, shapes as the file says, errors with their place."""

from __future__ import annotations

from typing import Any

from hwgen.ir.graph import Graph
from hwgen.ir.node import Node
from hwgen.ir.tensor import Shape, Tensor
from hwgen.layers.tflite import Operand, Operation
from hwgen.support.errors import ModelError, UnsupportedError

MAX_WEIGHTS, MAX_ROWS = 1 << 25, 1 << 18
"""Bounds on memory, far above what any small FPGA can hold."""


class ImportContext:
    """What importers of TFLite operations get; see `hwgen.layers.tflite.Context`."""

    def __init__(self, graph: Graph, runtime: str) -> None:
        self.graph, self.runtime = graph, runtime
        self._tensors: dict[int, str] = {}
        self._nodes: dict[int, int] = {}
        self._weights = self._rows = 0

    def tensor(self, operand: Operand) -> Tensor:
        """The IR tensor of an activation."""
        name = self._tensors.get(operand.index)
        if name is None:
            raise ModelError("is read before anything makes it", where=str(operand))
        return self.graph.tensors[name]

    def place(self, op: Operation, inside: bool = False) -> dict[str, Any]:
        """name, output and source for a node; an operation's second node and so on get a letter."""
        count = self._nodes.get(op.index, 0)
        self._nodes[op.index] = count + 1
        letter = chr(ord("a") + count) if count or inside else ""
        name = f"{op.kind.lower()}_{op.index}{letter}"
        if inside:
            return {"name": name, "output": name}
        return {"name": name, "output": self.output_name(op.output), "source": op.output.name}

    def output_name(self, operand: Operand) -> str:
        """Name of the IR tensor of the file's tensor."""
        return f"t{operand.index}"

    def add(self, op: Operation, node: Node, image: Shape | None = None) -> Tensor:
        """Append a node; its shape must be `image`, else what the file says."""
        self._weights += node.weight_count()
        self._rows += getattr(getattr(node, "act", None), "rows", 0)
        if self._weights > MAX_WEIGHTS or self._rows > MAX_ROWS:
            raise UnsupportedError([f"more than {MAX_WEIGHTS} weights or {MAX_ROWS} channels in all"])
        tensor = self.graph.add(node)
        if node.output == self.output_name(op.output):
            self.alias(op.output, tensor, image)
        return tensor

    def alias(self, operand: Operand, tensor: Tensor, image: Shape | None = None) -> None:
        """`operand` is an IR tensor of this graph."""
        if tensor.shape != (image or operand.image):
            raise ModelError(
                f"the file says shape {operand.shape}, its operation makes {tensor.shape}", where=str(operand)
            )
        if operand.index in self._tensors:
            raise ModelError("is made twice", where=str(operand))
        self._tensors[operand.index] = tensor.name
