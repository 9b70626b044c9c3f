"""Base of all operations of the intermediate representation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from hwgen.ir.tensor import Tensor


class IllegalNode(ValueError):
    """A node that contradicts its inputs; the message says how."""


@dataclass(eq=False, kw_only=True)
class Node:
    """One operation: names of its input tensors, name of its one output tensor.

    Subclasses are dataclasses in ``layers/<name>/op.py`` with the operation's parameters. `kind`
    is the folder's name; golden functions, hardware and estimates are found by it.
    """

    kind: ClassVar[str] = ""
    name: str
    inputs: tuple[str, ...]
    output: str
    source: str = field(default="")  # name of the output tensor in the model file

    def infer(self, inputs: list[Tensor]) -> Tensor:
        """The output tensor (shape and exact range) for these inputs; IllegalNode if they do not fit."""
        raise TypeError(f"{type(self).__name__} does not say what it makes")

    def macs(self, inputs: list[Tensor]) -> int:
        """Multiply-accumulates of one inference."""
        return 0

    def weight_count(self) -> int:
        """Number of weights."""
        return 0

    def describe(self) -> str:
        """Parameters in a few words, for people."""
        return ""
