"""Weight-stationary: a weight stays in its element while a tile's pixels pass; sums move down the columns.

As in the TPU (Jouppi et al., ISCA 2017) and in this engine's dense order. A pass is A inputs by B outputs. A
row of the kernel is S*C bytes side by side, so a tile of n pixels takes

    passes P = R * ceil(((S - 1)*pixel + C) / A)     blocks = ceil(M / B)     steps = blocks * P * n

Depthwise, a channel's weight is alone in its row: P = R*S, and 1/A of the array has work.

Per step: A activations from memory, each to B elements; (A-1)*B sums handed down; B accumulators written, and
read in all passes but the first; A*B weights read from registers. Weights come from memory once a tile.
"""

from __future__ import annotations

from hwgen.plan.systolic.energy.accesses import Use
from hwgen.plan.systolic.energy.layer import Layer
from hwgen.plan.systolic.energy.mapping import Mapping
from hwgen.plan.systolic.tiling import Tiler
from hwgen.program.array import Array

NAME = "weight-stationary"
WHAT = "weights stay, activations and sums move; the engine's dense order"


def mapping(layer: Layer, array: Array) -> Mapping:
    """Runs in the engine's dense order."""
    r, s = layer.kernel
    pixel = layer.pixel(array)
    if layer.depthwise:
        passes = r * s
    elif r > 1 and s == layer.pitch:  # rows of the kernel follow without a gap
        passes = -(-((r * s - 1) * pixel + layer.channels) // array.rows)
    else:
        passes = r * -(-((s - 1) * pixel + layer.channels) // array.rows)
    blocks = -(-layer.outputs // array.columns)
    return Mapping.tiled(Tiler(array, passes, blocks, lambda rows, columns: rows * columns), layer.out)


def use(layer: Layer, array: Array) -> Use:
    """Cycles and accesses of a layer."""
    return mapping(layer, array).use(layer.macs, array)


def runs(layer: Layer, array: Array) -> Mapping | None:
    """All but depthwise layers."""
    return None if layer.depthwise else mapping(layer, array)
