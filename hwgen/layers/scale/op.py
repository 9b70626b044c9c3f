"""Every pixel times a number of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hwgen.ir.node import IllegalNode, Node
from hwgen.ir.tensor import Tensor
from hwgen.numeric.ranges import Range
from hwgen.numeric.staircase import Staircase


@dataclass(eq=False, kw_only=True)
class Scale(Node):
    """out[y, x, c] = act(a[y, x, c] * b[y, x, 0]); without act the product itself."""

    kind: ClassVar[str] = "scale"
    act: Staircase | None = None

    def product_range(self, a: Range, b: Range) -> Range:
        """Range of the product."""
        return a * b

    def infer(self, inputs: list[Tensor]) -> Tensor:
        a, b = inputs
        if b.shape != (*a.shape[:2], 1):
            raise IllegalNode(f"{self.name}: scales {a.shape} by {b.shape}; one number a pixel is needed")
        if b.range.signed:
            raise IllegalNode(f"{self.name}: scales by {b.range}; factors must not be negative")
        if self.act is not None and (self.act.pixel_rows is not None or self.act.rows not in (1, a.shape[2])):
            raise IllegalNode(f"{self.name}: {self.act.rows} rows for {a.shape[2]} channels")
        values = self.act.range if self.act else self.product_range(a.range, b.range)
        return Tensor(self.output, a.shape, values, self.source)

    def describe(self) -> str:
        return "one factor a pixel"
