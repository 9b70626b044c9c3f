"""Layers that take codes, rewritten for engines that do not."""

from __future__ import annotations

import numpy as np

from hwgen.golden.run import execute
from hwgen.ir.graph import Graph
from hwgen.ir.tensor import Edge, Tensor
from hwgen.layers.conv.op import Conv
from hwgen.layers.depthwise.op import Depthwise
from hwgen.layers.window import Window
from hwgen.numeric.ranges import Range
from hwgen.passes import decode


def test_values_in_place_of_codes() -> None:
    """Two layers of one table share their values, one of another has its own; borders are values too."""
    rng = np.random.default_rng(1)
    table, other = (-8, -2, -1, 0, 1, 2, 8), (0, 1, 2, 4, 8, 16, 32)
    window = Window((3, 3), pad=(1, 1, 1, 1))
    g = Graph("t", "qonnx")
    g.add_input(Edge("x", "x", (6, 5, 2), "int8"), Tensor("x", (6, 5, 2), Range(0, 6)))
    for name, values, zero in (("a", table, 3), ("b", table, 3), ("c", other, 0)):
        weights = rng.integers(-8, 9, (4, 3, 3, 2))
        g.add(Conv(name=name, inputs=("x",), output=name, weights=weights, bias=rng.integers(-9, 9, 4),
                   window=window, pad_value=zero, values=values))  # fmt: skip
    g.add(Depthwise(name="d", inputs=("x",), output="d", weights=rng.integers(-8, 9, (1, 1, 2)),
                    bias=np.zeros(2, int), values=table))  # fmt: skip
    for name in "abcd":
        g.add_output(Edge(name, name, g.tensors[name].shape, "int32"))
    plain = decode.run(g)
    assert [node.kind for node in plain.nodes].count("staircase") == 2
    assert all(getattr(node, "values", None) is None for node in plain.nodes)
    x = {"x": rng.integers(0, 7, (5, 6, 5, 2))}
    before, after = execute(g, x, keep=True), execute(plain, x, keep=True)
    for name in "abcd":
        assert np.array_equal(before[name], after[name])
        assert plain.tensors[name].range == g.tensors[name].range
