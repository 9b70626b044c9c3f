"""What `conv` and `depthwise` share: a window, weights, a bias, an activation."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np

from hwgen.ir.node import IllegalNode, Node
from hwgen.ir.tensor import Tensor
from hwgen.layers.window import Window
from hwgen.numeric.codes import Coded, reach
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints
from hwgen.numeric.staircase import Staircase


@dataclass(eq=False, kw_only=True)
class Weighted(Node):
    """acc = bias + sum of weights times what the window sees; out = act(acc), or acc without one.

    Pixels outside the image have the value `pad_value` (the input's zero point; the -zero_point*sum(w) term
    is part of `bias`). values: where the input carries codes, what code 0, 1, .. stands for; `pad_value` is a
    code then. weights: the model's weight zero point already subtracted; `summed` are the axes that
    an output adds over. bias: int, one an output. code: all values that weights may take where others take
    their place later (`act` has a frame then): hardware and ranges are made for these, not for the weights.
    """

    summed: ClassVar[tuple[int, ...]]
    weights: Ints
    bias: Ints
    window: Window = field(default_factory=Window)
    pad_value: int = 0
    act: Staircase | None = None
    values: tuple[int, ...] | None = None
    code: tuple[int, ...] | None = None

    def seen(self, x: Range) -> Range:
        """The range of the input with what its codes stand for, if it carries codes."""
        if self.values is None:
            return x
        if x.lo < 0 or x.hi >= len(self.values):
            raise IllegalNode(f"{self.name}: {len(self.values)} values for the codes {x}")
        return Coded(x.lo, x.hi, self.values[x.lo : x.hi + 1])

    def decoded(self, x: Ints) -> Ints:
        """What elements of the input stand for."""
        return x if self.values is None else np.array(self.values, dtype=np.int64)[x]

    def taken(self) -> str:
        """What codes stand for, in words; "" if the input carries none."""
        return f", codes of {self.values[0]} .. {self.values[-1]}" if self.values else ""

    def acc_bounds(self, x: Range) -> tuple[Ints, Ints]:
        """(lo, hi), one an output: what its accumulator can reach, from the actual weights."""
        x = x | Range(self.pad_value, self.pad_value) if any(self.window.pad) else x
        x = reach(self.seen(x))
        if self.code is not None:
            product = Range(self.code[0], self.code[-1]) * x
            taps = self.weights.size // self.outputs
            return product.lo * taps + self.bias, product.hi * taps + self.bias
        positive = np.maximum(self.weights, 0).sum(axis=self.summed)
        negative = np.minimum(self.weights, 0).sum(axis=self.summed)
        return positive * x.lo + negative * x.hi + self.bias, positive * x.hi + negative * x.lo + self.bias

    def raw_range(self, x: Range) -> Range:
        """Range of all accumulators, bias not included."""
        if x not in self._raw_ranges:
            lo, hi = self.acc_bounds(x)
            self._raw_ranges[x] = Range(int((lo - self.bias).min()), int((hi - self.bias).max()))
        return self._raw_ranges[x]

    @cached_property
    def _raw_ranges(self) -> dict[Range, Range]:
        """What `raw_range` has found: a planner asks for each folding."""
        return {}

    @property
    def outputs(self) -> int:
        """Output channels."""
        return len(self.bias)

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """Sorted distinct weights, or what they may be."""
        if self.code is not None:
            return self.code
        return tuple(int(each) for each in np.unique(self.weights))

    @cached_property
    def raw_act(self) -> Staircase:
        """The activation of the accumulator without its bias: hardware adds no bias, its steps have moved."""
        if self.act is None:
            raise IllegalNode(f"{self.name}: has no activation")
        return self.act.shifted(self.bias)

    def made(self, x: Tensor) -> Tensor:
        """The output tensor; IllegalNode if the window leaves nothing of the image."""
        height, width = self.window.output_size(x.shape[:2], self.name)
        lo, hi = self.acc_bounds(x.range)
        values = self.act.range if self.act else Range(int(lo.min()), int(hi.max()))
        return Tensor(self.output, (height, width, self.outputs), values, self.source)

    def macs(self, inputs: list[Tensor]) -> int:
        height, width = self.window.output_size(inputs[0].shape[:2], self.name)
        return height * width * int(self.weights.size)

    def weight_count(self) -> int:
        return int(self.weights.size)
