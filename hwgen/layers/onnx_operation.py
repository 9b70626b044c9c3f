"""An operation of an ONNX model as its importer gets it, and how an importer refuses it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


class Unsupported(Exception):
    """Something that hwgen does not do; the message says what and what to do instead."""


class Damaged(Exception):
    """The model contradicts itself."""


@dataclass(eq=False)
class Operation:
    """A node of the model. inputs: names, "" for one that is left out. kind: its operator type."""

    position: int
    kind: str
    domain: str
    label: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]

    def __str__(self) -> str:
        return f"node {self.position} {self.kind}" + (f" ({self.label})" if self.label else "")

    def inner(self) -> Operation:
        """This operation for a node on the way to its output."""
        return replace(self, kind="", outputs=())

    def has(self, i: int) -> bool:
        """Whether input i is given."""
        return i < len(self.inputs) and bool(self.inputs[i])

    def integer(self, name: str, default: int) -> int:
        """An integer attribute."""
        return self._typed(name, default, int)

    def real(self, name: str, default: float) -> float:
        """A float attribute."""
        return self._typed(name, default, float)

    def text(self, name: str, default: str) -> str:
        """A string attribute."""
        return self._typed(name, default, str)

    def integers(self, name: str, default: list[int] | None = None) -> list[int] | None:
        """A list of integers, or the default."""
        return self._typed(name, default, list)

    def _typed(self, name: str, default: Any, kind: type) -> Any:
        value = self.attributes.get(name, default)
        if value is not default and not isinstance(value, kind):
            raise Damaged(f"attribute {name} is not of type {kind.__name__}")
        return value
