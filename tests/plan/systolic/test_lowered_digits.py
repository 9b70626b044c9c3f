"""Weights beyond 8 bits (models with weight zero points) are two digits; narrow tensors lie side by side."""

from __future__ import annotations

import numpy as np
import pytest
from systolic_nets import Builder, compare, random_inputs

from hwgen.layers.window import Window
from hwgen.numeric.ranges import Range
from hwgen.plan.systolic.job import MOST_SPANS, digit_counts, digits_of, spans
from hwgen.plan.systolic.lower import lower
from hwgen.program.array import Array
from hwgen.program.instructions import Run
from hwgen.support.errors import UnsupportedError

WIDE = Array(rows=16, columns=16, shared_activations=False)


def with_outliers(builder: Builder, places: list[tuple[int, ...]]) -> Builder:
    """The newest layer with weights of 9 bits in some places; its activation made again for them."""
    node = builder.graph.nodes[-1]
    for place, value in zip(places, (200, -230, 254, -256), strict=False):
        node.weights[place] = value
    node.act = None
    lo, hi = node.acc_bounds(builder.graph.tensors[node.inputs[0]].range)
    node.act = builder.requantised(lo, hi)
    return builder


@pytest.mark.parametrize("array", [Array(), WIDE], ids=["4x4", "16x16"])
def test_pointwise_and_depthwise_outliers_are_exact(array: Array) -> None:
    builder = Builder(21, (6, 5, 20), Range(0, 255))
    builder.conv(70, Window())
    with_outliers(builder, [(17, 0, 0, 3), (66, 0, 0, 19)])
    builder.depthwise(Window((3, 3), (1, 1), (1, 1, 1, 1)))
    with_outliers(builder, [(0, 2, 5), (2, 2, 69)])
    graph = builder.done()
    lowered = lower(graph, array)
    assert compare(lowered, random_inputs(graph, 2)) > 0
    runs = [each for each in lowered.image.program if isinstance(each, Run) and not each.depthwise]
    words = -(-20 // array.rows)
    assert {each.p0_count * each.p1_count for each in runs} == {words, 2 * words}


def test_a_kernel_that_leaves_no_loop_for_digits_is_named() -> None:
    builder = Builder(22, (6, 6, 8))
    builder.conv(4, Window((3, 3)))
    with_outliers(builder, [(0, 1, 1, 1)])
    with pytest.raises(
        UnsupportedError, match="n0: weights beyond 8 bits with a kernel of 3 rows of 6 words"
    ):
        lower(builder.done(), Array())


def test_digits_and_spans() -> None:
    weights = np.array([[5, -256], [254, 1], [-128, 127], [0, 0]])
    parts = digits_of(weights, 2)
    assert all(part.min() >= -128 and part.max() <= 127 for part in parts)
    np.testing.assert_array_equal(sum(parts), weights)
    assert digit_counts(weights, 2) == [2, 1]
    assert spans([1, 1, 2, 1]) == [(0, 2), (2, 1), (3, 1)]
    many = np.zeros((40, 1), dtype=np.int64)
    many[::2] = 200
    assert len(spans(digit_counts(many, 1))) <= MOST_SPANS


@pytest.mark.parametrize("channels", [1, 2, 5, 8, 13])
def test_narrow_tensors_are_exact_and_small(channels: int) -> None:
    builder = Builder(23 + channels, (5, 300, 16))
    builder.conv(channels, Window())
    builder.conv(16, Window((2, 3), (2, 5)))
    graph = builder.done()
    lowered = lower(graph, Array(rows=16, columns=16, shared_activations=True, activation_bytes=1 << 17))
    place = lowered.where["t0"]
    assert place.pixel == channels + channels % 2
    assert place.row >= 300 * place.pixel + 16 - place.pixel
    compare(lowered, random_inputs(graph, 1))
