"""Foldings, cycles and cost of `scale`."""

from __future__ import annotations

from hwgen.hw.scaleunit import FORMS, scale_cost
from hwgen.ir.tensor import Tensor
from hwgen.layers.activation import activation_cost
from hwgen.layers.folding import Folding, Stage, divisors
from hwgen.layers.scale.op import Scale
from hwgen.targets.base import Target
from hwgen.targets.resources import Resources


def foldings(node: Scale, inputs: list[Tensor]) -> list[Folding]:
    """Every divisor of the channels."""
    return [Folding(lanes, lanes, lanes) for lanes in divisors(inputs[0].shape[2])]


def products(node: Scale, inputs: list[Tensor], folding: Folding, target: Target) -> list[str]:
    """Multipliers of one lane each."""
    a, b = inputs
    levels = b.range.lo, b.range.hi
    return [name for name, form in FORMS.items() if form.suits(levels, a.range, 1, 1, target)]


def interval(node: Scale, inputs: list[Tensor], folding: Folding) -> int:
    """Clocks per pixel."""
    return inputs[0].shape[2] // folding.simd


def cost(node: Scale, inputs: list[Tensor], folding: Folding, target: Target) -> Resources:
    """A multiplier a lane, activation, queue."""
    a, b = inputs
    product = node.product_range(a.range, b.range)
    out = node.act.range if node.act else product
    total = scale_cost(
        FORMS[folding.product], a=a.range, b=b.range, lanes=folding.lanes, out=out, target=target
    )
    return total + activation_cost(node.act, folding.lanes, a.shape[2], product, target)


def stage(node: Scale, inputs: list[Tensor], folding: Folding) -> Stage:
    """A join: the FIFOs in front of it come from the schedule."""
    pixels = list(range(inputs[0].shape[0] * inputs[0].shape[1]))
    return Stage(pixels, pixels, interval(node, inputs, folding), 20, None)
