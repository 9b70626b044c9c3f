"""Maximum pools on an array that only adds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from systolic_nets import Builder, compare, random_inputs

from hwgen.layers.maxpool.op import MaxPool
from hwgen.layers.window import Window
from hwgen.numeric.ranges import Range
from hwgen.plan.systolic.lower import lower
from hwgen.program.array import UP5K, Array

ARRAYS = {"4x4": Array(rows=4, columns=4), "8x4": Array(rows=8, columns=4, depth=64)}
WINDOWS = {
    "2x2": Window((2, 2), (2, 2)),
    "3x3, stride 2, padded": Window((3, 3), (2, 2), (1, 1, 1, 1)),
    "3x3": Window((3, 3)),
    "1x2": Window((1, 2), (3, 2)),
    "5x1": Window((5, 1), (2, 1)),
    "2x2, padded on one side": Window((2, 2), (2, 2), (0, 1, 0, 1)),
    "whole": Window((7, 9)),
    "1x1": Window((1, 1), (2, 3)),
}


@pytest.mark.parametrize("values", [Range(-128, 127), Range(0, 255), Range(-5, 90)], ids=str)
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("name", ARRAYS)
def test_windows(name: str, window: str, values: Range) -> None:
    for channels in (1, 4, 6):
        builder = Builder(channels, (7, 9, channels), values)
        builder.add(MaxPool(**builder.new(), window=WINDOWS[window]))
        graph = builder.done()
        inputs = random_inputs(graph, 2, 5)
        for x in inputs.values():
            x[1] = np.random.default_rng(1).choice([values.lo, values.hi], x[1].shape)
        assert compare(lower(graph, ARRAYS[name]), inputs) > 0


@pytest.mark.parametrize("seed", range(12))
def test_between_other_layers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    builder = Builder(seed, (8, 7, 4))
    builder.values = lambda: Range(-128, 127)  # type: ignore[method-assign]
    for kind in rng.choice(["conv", "residual", "concat", "step"], 2):
        builder.conv(2 * int(rng.integers(1, 7))) if kind == "conv" else getattr(builder, kind)()
    builder.maxpool()
    builder.conv(5, Window((1, 1)))
    graph = builder.done()
    assert compare(lower(graph, ARRAYS["4x4"]), random_inputs(graph, 1, seed)) > 0


def test_arrays_with_maxima_use_them() -> None:
    builder = Builder(1, (8, 8, 8))
    builder.add(MaxPool(**builder.new(), window=WINDOWS["2x2"]))
    graph = builder.done()
    added, taken = (lower(graph, array).image.program for array in (UP5K, replace(UP5K, maximum=True)))
    assert not any(getattr(each, "maximum", False) for each in added)
    assert any(getattr(each, "maximum", False) for each in taken) and len(taken) < len(added)
