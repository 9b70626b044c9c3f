"""What the array cannot do or hold is named, all at once, and nothing is written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from systolic_nets import Builder

from hwgen.layers.conv.op import Conv
from hwgen.layers.window import Window
from hwgen.numeric.ranges import Range
from hwgen.plan.systolic.lower import lower
from hwgen.program.array import Array
from hwgen.support.errors import UnsupportedError

SMALL = Array(maximum=False)


def items(builder: Builder, array: Array = SMALL) -> str:
    with pytest.raises(UnsupportedError) as caught:
        lower(builder.done(), array)
    return " | ".join(caught.value.items)


def test_several_things_are_named_together() -> None:
    builder = Builder(1, (6, 6, 4))
    builder.maxpool()
    weights = np.full((4, 1, 1, 4), 300)
    node = Conv(**builder.new(), weights=weights, bias=np.zeros(4, np.int64))
    node.act = None
    builder.add(node)
    text = items(builder)
    assert "t1: values of [-153600, 152400] are no bytes" in text
    builder = Builder(1, (6, 6, 4))
    builder.conv(4, Window())
    builder.conv(4, Window())
    for node in builder.graph.nodes:
        node.weights = node.weights * 3
    text = items(builder)
    assert "n0: weights of" in text and "n1: weights of" in text and "beyond two of 8 bits" in text


def test_an_image_that_does_not_fit_is_named_with_its_bytes() -> None:
    builder = Builder(2, (40, 40, 16))
    builder.conv(16, Window())
    array = replace(SMALL, activation_bytes=32_768)
    assert "activations: 51200 bytes are in use at once, the array has 32768" in items(builder, array)


def test_sums_beyond_the_accumulator_are_named() -> None:
    builder = Builder(3, (1, 1, 700))
    builder.conv(4, Window())
    assert "beyond 20 bits" in items(builder, replace(SMALL, accumulator=20))


def test_a_program_memory_that_is_too_small_is_named() -> None:
    builder = Builder(4, (8, 8, 8))
    for _ in range(6):
        builder.conv(8, Window())
    assert "program: " in items(builder, replace(SMALL, program_words=100))


def test_steps_that_no_line_has_are_named_with_the_channel() -> None:
    builder = Builder(5, (4, 4, 4))
    builder.conv(4, Window())
    act = builder.graph.nodes[0].act
    act.steps[2, : act.steps.shape[1] // 2] -= 37
    assert "n0: no multiplier, shift and bias are the activation of channel 2 (1 in all)" in items(builder)


def test_two_borders_of_one_tensor_are_named() -> None:
    builder = Builder(6, (6, 6, 4), Range(-128, 127))
    first = builder.name
    window = Window((3, 3), (1, 1), (1, 1, 1, 1))
    builder.conv(4, window)
    second, builder.name = builder.name, first
    builder.conv(4, window)
    a, b = (node.pad_value for node in builder.graph.nodes)
    assert a != b and second != builder.name
    assert f"n1: its border is {b}, another layer's of the same tensor is not" in items(builder)


def test_a_shape_that_changes_between_layers_is_named() -> None:
    builder = Builder(7, (4, 4, 4))
    builder.step()
    builder.flatten()
    builder.step()
    assert "n1: another shape (to 1x1x64) in the middle of the network" in items(builder)
