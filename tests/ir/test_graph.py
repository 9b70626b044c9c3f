"""A graph that exists is legal."""

from __future__ import annotations

import numpy as np
import pytest

from hwgen.golden.run import execute
from hwgen.ir.graph import Graph
from hwgen.ir.node import IllegalNode
from hwgen.ir.tensor import Edge, Tensor
from hwgen.layers.conv.op import Conv
from hwgen.layers.reshape.op import Reshape
from hwgen.layers.window import Window
from hwgen.numeric.ranges import Range


def start() -> Graph:
    g = Graph("t", "tflm")
    g.add_input(Edge("x", "x", (4, 4, 2), "int8"), Tensor("x", (4, 4, 2), Range(-128, 127)))
    return g


def conv(**changes: object) -> Conv:
    options: dict = {
        "name": "c", "inputs": ("x",), "output": "y", "weights": np.ones((3, 1, 1, 2), np.int64),
        "bias": np.zeros(3, np.int64),
    }  # fmt: skip
    return Conv(**(options | changes))


@pytest.mark.parametrize(
    ("node", "says"),
    [
        (conv(inputs=("nothing",)), "reads nothing"),
        (conv(weights=np.ones((3, 1, 1, 5), np.int64)), "do not fit"),
        (conv(weights=np.ones((3, 9, 9, 2), np.int64), window=Window((9, 9))), "leaves nothing"),
        (conv(output="x"), "made twice"),
        (Reshape(name="r", inputs=("x",), output="y", shape=(1, 1, 31)), "cannot become"),
    ],
)
def test_illegal_nodes_are_refused(node: object, says: str) -> None:
    with pytest.raises(IllegalNode, match=says):
        start().add(node)  # type: ignore[arg-type]


def test_ranges_come_from_the_weights_and_are_reached() -> None:
    g = start()
    weights = np.array([[[[3, -2]]], [[[0, 0]]], [[[-5, 7]]]])
    out = g.add(conv(weights=weights, bias=np.array([10, -4, 0])))
    assert out.range == Range(-128 * 7 - 127 * 5, 127 * 7 + 128 * 5)
    g.add_output(Edge("y", "y", (4, 4, 3), "int32"))
    x = np.zeros((1, 4, 4, 2), np.int64)
    x[..., 0], x[..., 1] = 127, -128
    assert execute(g, {"x": x})["y"].min() == out.range.lo


def test_leaving_the_range_is_an_error() -> None:
    g = start()
    g.add(conv())
    g.add_output(Edge("y", "y", (4, 4, 3), "int32"))
    with pytest.raises(OverflowError, match="leaves"):
        execute(g, {"x": np.full((1, 4, 4, 2), 500)})
