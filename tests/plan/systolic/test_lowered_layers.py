"""Random small networks on arrays of several shapes: the engine's model equals the golden model."""

from __future__ import annotations

import numpy as np
import pytest
from systolic_nets import Builder, compare, random_inputs

from hwgen.ir.graph import Graph
from hwgen.layers.window import Window
from hwgen.numeric.ranges import Range
from hwgen.plan.systolic.lower import lower
from hwgen.program.array import Array

ARRAYS = {
    "4x4": Array(rows=4, columns=4, maximum=True),
    "8x4": Array(rows=8, columns=4, depth=64, maximum=True),
    "8x8": Array(rows=8, columns=8, depth=100, maximum=True),
    "16x16": Array(rows=16, columns=16, maximum=True, shared_activations=False),
}
LAYERS = ("conv", "conv", "depthwise", "depthwise", "sumpool", "maxpool", "step", "pad", "residual")


def network(seed: int, layers: tuple[str, ...] = LAYERS) -> Graph:
    """Two to four layers on an image of a few pixels, sometimes with a fully connected one at the end."""
    rng = np.random.default_rng(1000 + seed)
    channels = int(rng.choice([1, 2, 3, 4, 5, 8, 13, 16, 20]))
    shape = (int(rng.integers(1, 14)), int(rng.integers(1, 14)), channels)
    builder = Builder(seed, shape, Range(0, 255) if rng.random() < 0.2 else Range(-128, 127))
    for kind in rng.choice(layers, int(rng.integers(1, 4))):
        if kind == "conv":
            builder.conv(int(rng.integers(1, 20)))
        elif kind != "pad":
            getattr(builder, kind)()
        elif builder.tensor.range == Range(-128, 127):
            builder.pad()
            kernel = (2, 2) if min(builder.tensor.shape[:2]) > 1 else (1, 1)
            builder.conv(int(rng.integers(1, 9)), Window(kernel))
    if rng.random() < 0.3 and builder.tensor.size < 700:
        builder.flatten()
        builder.conv(int(rng.integers(1, 24)))
    return builder.done()


@pytest.mark.parametrize("part", range(5))
@pytest.mark.parametrize("name", ARRAYS)
def test_random_networks_are_exact(name: str, part: int) -> None:
    for seed in range(15 * part, 15 * part + 15):
        graph = network(seed)
        lowered = lower(graph, ARRAYS[name])
        assert compare(lowered, random_inputs(graph, 1, seed)) > 0
