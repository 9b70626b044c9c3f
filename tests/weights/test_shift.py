"""Activations that are powers of two: every weight of small widths times every code."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from levels import CODED
from reducerbench import mvu_groups
from test_mvu import check

from hwgen.hw.mvu import MVU
from hwgen.hw.product.shift import ShiftForm
from hwgen.ir.tensor import Tensor
from hwgen.layers.conv import estimate
from hwgen.layers.conv.op import Conv
from hwgen.layers.folding import Folding
from hwgen.layers.window import Window
from hwgen.numeric.codes import Coded
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5, GENERIC
from hwgen.weights.code import FORMS


@pytest.mark.parametrize("value", CODED[:4], ids=str)
@pytest.mark.parametrize("weight", [Range(-4, 3), Range(0, 3), Range(-1, 1)], ids=str)
def test_every_product(value: Coded, weight: Range) -> None:
    """All pairs of codes before all pairs of weights: w * values[code], and the sum of two of them."""
    levels = range(weight.lo, weight.hi + 1)
    weights = np.array(list(itertools.product(levels, repeat=2)))
    rng = np.random.default_rng(1)
    every = np.array(list(itertools.product(range(value.lo, value.hi + 1), repeat=2)))
    x = np.concatenate([every[::7], every[every[:, 0] == every[:, 1]]])
    dut = MVU(weights, simd=2, pe=1, value=value, form=ShiftForm, target=GENERIC)
    check(dut, mvu_groups(dut, x), rng)


def conv(values: tuple[int, ...] | None) -> Conv:
    weights = np.arange(-8, 8).reshape(2, 2, 2, 2)
    return Conv(name="conv", inputs=("x",), output="y", weights=weights, bias=np.zeros(2, int), values=values,
                window=Window((2, 2), pad=(1, 0, 0, 1)), pad_value=1)  # fmt: skip


def test_only_the_shift_takes_codes() -> None:
    x = Tensor("x", (3, 3, 2), Range(0, 4))
    assert estimate.products(conv((0, 1, 2, 4, 8)), [x], Folding(2, 2), ECP5) == ["shift"]
    assert estimate.products(conv((0, 1, 2, 3, 5)), [x], Folding(2, 2), ECP5) == []
    assert "shift" not in estimate.products(conv(None), [x], Folding(2, 2), ECP5)
    for form in FORMS.values():
        with pytest.raises(ValueError, match=f"{form.name}: activations must"):
            form(np.ones((form.outputs, 1, 2)), value=Range(0, 3) if form.coded else CODED[0], target=GENERIC)


def test_ranges_are_those_of_the_values() -> None:
    node = conv((-4, 0, 4))
    low, high = node.acc_bounds(Range(1, 2))
    assert low.tolist() == [4 * sum(range(-8, 0)), 0]
    assert high.tolist() == [0, 4 * sum(range(8))]
    assert node.acc_bounds(Range(2, 2))[0].tolist() == [-144, 0]  # the border is 0
    with pytest.raises(ValueError, match="conv: 3 values for the codes \\[0, 3\\]"):
        node.acc_bounds(Range(0, 3))
    with pytest.raises(ValueError, match="must rise"):
        Coded(0, 1, (4, 4))
