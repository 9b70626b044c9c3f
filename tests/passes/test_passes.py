"""Passes keep the meaning: every graph and its rewritten form give the same integers."""

from __future__ import annotations

import numpy as np
import pytest

from hwgen.golden.run import execute
from hwgen.ir.graph import Graph
from hwgen.ir.tensor import Edge, Tensor
from hwgen.layers.conv.op import Conv
from hwgen.layers.pad.op import Pad
from hwgen.layers.staircase.op import Step
from hwgen.layers.window import Window
from hwgen.numeric.ranges import Range
from hwgen.numeric.staircase import from_function
from hwgen.passes.run import run_passes

RNG = np.random.default_rng(5)


def graph(pad_value: int = 3, zero_point: int = 3, inner_pad: int = 0, twice: bool = False) -> Graph:
    g = Graph("t", "tflm")
    g.add_input(Edge("x", "x", (6, 5, 2), "int8"), Tensor("x", (6, 5, 2), Range(-128, 127)))
    g.add(Pad(name="pad", inputs=("x",), output="p", pad=(1, 2, 0, 1), value=pad_value))
    window = Window((3, 3), (1, 1), (inner_pad,) * 4)
    conv = Conv(
        name="conv", inputs=("p",), output="c", weights=RNG.integers(-8, 9, (4, 3, 3, 2)),
        bias=RNG.integers(-99, 99, 4), window=window, pad_value=zero_point,
    )  # fmt: skip
    out = g.add(conv)
    lo, hi = np.full(4, out.range.lo), np.full(4, out.range.hi)
    first = from_function(lambda x: np.clip(x >> 3, -100, 100), lo, hi)
    g.add(Step(name="s1", inputs=("c",), output="s1", act=first))
    second = from_function(lambda x: np.maximum(x, 0), np.array([-100]), np.array([100]))
    g.add(Step(name="s2", inputs=("s1",), output="s2", act=second))
    if twice:
        g.add(Pad(name="other", inputs=("p",), output="q", pad=(0, 0, 0, 0), value=0))
        g.add_output(Edge("q", "q", g.tensors["q"].shape, "int8"))
    g.add_output(Edge("y", "s2", g.tensors["s2"].shape, "int8"))
    return g


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        ({}, ["pad", "columns", "conv"]),
        ({"inner_pad": 1}, ["pad", "columns", "conv"]),
        ({"inner_pad": 1, "pad_value": 9}, ["pad", "pad", "columns", "conv"]),
        ({"pad_value": 9}, ["pad", "columns", "conv"]),
        ({"twice": True}, ["pad", "columns", "conv", "pad"]),
    ],
)
def test_same_integers(options: dict, kinds: list[str]) -> None:
    before = graph(**options)
    after = run_passes(before)
    assert [node.kind for node in after.nodes] == kinds
    x = {"x": RNG.integers(-128, 128, (3, 6, 5, 2))}
    want, got = execute(before, x), execute(after, x)
    assert want.keys() == got.keys()
    for name in want:
        assert np.array_equal(want[name], got[name])
