"""Cases for a family's hard multiplier: random factors and all mixtures of their ranges' ends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Shape
from verilated import Case

from hwgen.hw.multiply import Multiplier
from hwgen.targets import Target


def products(shapes: Sequence[tuple[Shape, Shape]], widths: Sequence[int], target: Target) -> dict[str, Case]:
    """A Multiplier of every pair of shapes and width of the product, which comes after two clocks."""
    rng = np.random.default_rng(2)
    cases = {}
    for a, b in shapes:
        low = [-(1 << shape.width - 1) if shape.signed else 0 for shape in (a, b)]
        high = [-1 + (1 << shape.width - shape.signed) for shape in (a, b)]
        x, y = (
            [lo, lo, hi, hi, 0, *rng.integers(lo, hi, 100, endpoint=True).tolist()]
            for lo, hi in zip(low, high)
        )
        y[1:3] = y[2], y[1]
        product = [None, None, *(p * q for p, q in zip(x, y))][: len(x)]
        for width in widths:
            dut = Multiplier(a, b, width, target=target)
            masks = {"a": (1 << a.width) - 1, "b": (1 << b.width) - 1}
            inputs = {"a": [v & masks["a"] for v in x], "b": [v & masks["b"] for v in y]}
            cases[f"{a} {b} {width}"] = Case(dut, inputs, {"y": product})
    return cases
