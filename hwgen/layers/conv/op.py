"""Convolution, and dense as the convolution of a 1x1 image."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np

from hwgen.ir.node import IllegalNode, Node
from hwgen.ir.tensor import Tensor
from hwgen.layers.window import Window
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints
from hwgen.numeric.staircase import Staircase


@dataclass(eq=False, kw_only=True)
class Conv(Node):
    """acc[y, x, o] = bias[o]
         + sum over (i, j, c) of weights[o, i, j, c] * in[y*sy + i - top, x*sx + j - left, c]

    and out = act(acc) if there is an activation, else acc. Pixels outside the image have the value
    `pad_value` (the input's zero point; the -zero_point*sum(w) term is part of `bias`).
    weights: int (O, KH, KW, C), the model's weight zero point already subtracted. bias: int (O,).
    """

    kind: ClassVar[str] = "conv"
    weights: Ints
    bias: Ints
    window: Window = field(default_factory=Window)
    pad_value: int = 0
    act: Staircase | None = None

    def acc_bounds(self, x: Range) -> tuple[Ints, Ints]:
        """(lo, hi), each (O,): what each channel's accumulator can reach, from the actual weights."""
        x = x | Range(self.pad_value, self.pad_value) if any(self.window.pad) else x
        positive, negative = self._sums
        return positive * x.lo + negative * x.hi + self.bias, positive * x.hi + negative * x.lo + self.bias

    @cached_property
    def _sums(self) -> tuple[Ints, Ints]:
        """Of each output's positive and of its negative weights: planners ask for every folding."""
        axes = 1, 2, 3
        return np.maximum(self.weights, 0).sum(axis=axes), np.minimum(self.weights, 0).sum(axis=axes)

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """Sorted distinct weights."""
        return tuple(int(each) for each in np.unique(self.weights))

    @cached_property
    def raw_act(self) -> Staircase:
        """The activation of the accumulator without its bias: hardware adds no bias, its steps have moved."""
        if self.act is None:
            raise IllegalNode(f"{self.name}: has no activation")
        return self.act.shifted(self.bias)

    def infer(self, inputs: list[Tensor]) -> Tensor:
        (x,) = inputs
        outputs, kh, kw, channels = self.weights.shape
        if channels != x.shape[2] or self.bias.shape != (outputs,) or (kh, kw) != self.window.kernel:
            raise IllegalNode(f"{self.name}: weights {self.weights.shape} do not fit an input of {x.shape}")
        height, width = self.window.output_size(x.shape[:2], self.name)
        lo, hi = self.acc_bounds(x.range)
        acc = Range(int(lo.min()), int(hi.max()))
        return Tensor(self.output, (height, width, outputs), self.act.range if self.act else acc, self.source)

    def macs(self, inputs: list[Tensor]) -> int:
        height, width = self.window.output_size(inputs[0].shape[:2], self.name)
        return height * width * int(np.prod(self.weights.shape))

    def weight_count(self) -> int:
        return int(self.weights.size)

    def describe(self) -> str:
        return f"{self.weights.shape[0]} outputs, {self.window}"
