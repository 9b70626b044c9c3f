"""Layers with every code's forms: what a form's sums are off by is taken back in the activation's steps."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from levels import CODED, POOL, weights_of
from streambench import Bench, beats
from test_forms import TRIED, suits

from hwgen.ir.node import Node
from hwgen.ir.tensor import Tensor
from hwgen.layers.conv import estimate as conv_estimate
from hwgen.layers.conv import golden as conv_golden
from hwgen.layers.conv import hw as conv_hw
from hwgen.layers.conv.op import Conv
from hwgen.layers.depthwise import golden as depthwise_golden
from hwgen.layers.depthwise import hw as depthwise_hw
from hwgen.layers.depthwise.op import Depthwise
from hwgen.layers.folding import Folding
from hwgen.layers.window import Window
from hwgen.numeric.codes import Coded
from hwgen.numeric.ranges import Range
from hwgen.numeric.staircase import from_function
from hwgen.targets import ECP5, GENERIC
from hwgen.weights.code import FORMS

FOUND = [
    (form, next((name, value, simd) for simd in (2, 4) for name in POOL
                for value in (Range(0, 15), Range(0, 1), CODED[0]) if suits(FORMS[form], name, value, simd)))
    for form in sorted(set(FORMS) - TRIED)
]  # fmt: skip


def exact(node: Node, golden: ModuleType, hw: ModuleType, x: np.ndarray, value: Range, fold: Folding) -> None:
    """The layer's unit against its meaning."""
    tensor = Tensor("x", x.shape, value)
    expected = golden.run(node, x[None])[0]  # type: ignore[attr-defined]
    unit = hw.build(node, [tensor], fold, GENERIC)  # type: ignore[attr-defined]
    bench = Bench(unit)
    bench.send(unit.i, beats(x, fold.simd))
    taken = bench.receive(unit.o, expected.size // fold.lanes)
    bench.run()
    assert taken == beats(expected, fold.lanes)


@pytest.mark.parametrize(("form", "case"), FOUND, ids=lambda each: str(each))
def test_convolution_is_exact(form: str, case: tuple[str, Range, int]) -> None:
    rng = np.random.default_rng(3)
    name, value, simd = case
    weights = weights_of(POOL[name], (4, 2 * 2 * 4), rng).reshape(4, 2, 2, 4)
    node = Conv(name="conv", inputs=("x",), output="y", weights=weights, bias=rng.integers(-9, 9, 4),
                window=Window((2, 2)))  # fmt: skip
    node.values = value.values if isinstance(value, Coded) else None
    low, high = node.acc_bounds(value)
    node.act = from_function(lambda acc: np.clip(acc // 4, -8, 7), low, high)
    x = rng.integers(value.lo, value.hi + 1, (3, 4, 4))
    exact(node, conv_golden, conv_hw, x, value, Folding(simd, 2, 1, form))


@pytest.mark.parametrize(("form", "case"), FOUND, ids=lambda each: str(each))
def test_depthwise_convolution_is_exact(form: str, case: tuple[str, Range, int]) -> None:
    rng = np.random.default_rng(4)
    name, value, _ = case
    weights = weights_of(POOL[name], (4, 4), rng).reshape(2, 2, 4)
    node = Depthwise(name="depthwise", inputs=("x",), output="y", weights=weights,
                     bias=rng.integers(-9, 9, 4), window=Window((2, 2)))  # fmt: skip
    node.values = value.values if isinstance(value, Coded) else None
    low, high = node.acc_bounds(value)
    node.act = from_function(lambda acc: np.clip(acc // 2, -8, 7), low, high)
    x = rng.integers(value.lo, value.hi + 1, (3, 4, 4))
    exact(node, depthwise_golden, depthwise_hw, x, value, Folding(2, 2, 1, form))


@pytest.mark.parametrize(
    ("levels", "value", "simd", "wanted"),
    [
        ((-1, 1), Range(0, 255), 16, "bipolar"),
        ((-1, 1), Range(0, 3), 64, "planes"),
        ((-1, 1), Range(0, 1), 64, "xnor"),
        ((-1, 0, 1), Range(0, 255), 16, "ternary"),
        ((-4, -2, -1, 0, 1, 2, 4), Range(-128, 127), 16, "pow2"),
        ((-3, -1, 1, 3), Range(0, 255), 16, "odd"),
        ((-3, -1, 1, 3), Range(0, 3), 32, "planes2"),
        ((-2, -1, 0, 1), Range(0, 3), 32, "bits"),
        (tuple(range(-8, 8)), Range(0, 3), 16, "lut_x"),
    ],
)
def test_the_cheapest_form_without_multipliers(
    levels: tuple[int, ...], value: Range, simd: int, wanted: str
) -> None:
    """What each code was made for, it wins."""
    weights = np.resize(levels, (16, 1, 1, 64))
    node = Conv(name="conv", inputs=("x",), output="y", weights=weights, bias=np.zeros(16, int))
    low, high = node.acc_bounds(value)
    node.act = from_function(lambda acc: np.clip(acc // 4, -8, 7), low, high)
    x = Tensor("x", (1, 1, 64), value)
    costs = {}
    for name in conv_estimate.products(node, [x], Folding(simd, 16, 16), ECP5):
        cost = conv_estimate.cost(node, [x], Folding(simd, 16, 16, name), ECP5)
        if not cost.dsp:
            costs[name] = cost.lut4 + 0.3 * cost.ff
    assert min(costs, key=costs.__getitem__) == wanted, costs
