"""The activation as an operation of its own, where nothing before it can carry it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hwgen.ir.node import IllegalNode, Node
from hwgen.ir.tensor import Tensor
from hwgen.numeric.staircase import Staircase


@dataclass(eq=False, kw_only=True)
class Step(Node):
    """out = act(in); see numeric/staircase.py. Requantisation, ReLU, logistic, tanh: all of them."""

    kind: ClassVar[str] = "staircase"
    act: Staircase

    def infer(self, inputs: list[Tensor]) -> Tensor:
        (x,) = inputs
        if self.act.pixel_rows is None and self.act.rows not in (1, x.shape[2]):
            raise IllegalNode(f"{self.name}: {self.act.rows} rows for {x.shape[2]} channels")
        if self.act.pixel_rows is not None and self.act.pixel_rows.shape != x.shape[:2]:
            raise IllegalNode(f"{self.name}: rows for {self.act.pixel_rows.shape} pixels, not {x.shape[:2]}")
        return Tensor(self.output, x.shape, self.act.range, self.source)

    def describe(self) -> str:
        return f"{self.act.rows} row{'s' if self.act.rows != 1 else ''}, to {self.act.range}"
