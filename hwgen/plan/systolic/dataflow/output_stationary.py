"""Output-stationary: an element keeps one output's sum; activations cross the rows, weights the columns.

"MOC-MOP" (several output channels, several output pixels) in the classes of Chen, Emer, Sze, "Eyeriss", ISCA
2016. A tile is a <= A pixels by b <= B outputs and takes K = R*S*C steps (depthwise R*S):

    steps = ceil(E*F / A) * ceil(M / B) * K

Per step: a activations from memory, each to b elements; b weights, each to a elements; a*b sums read from and
written to registers. Depthwise, nothing is shared along a row: a*b activations from memory, which take
a*b/A clocks. A tile's sums leave down the columns, a*(a-1)/2 hand-overs each. The order of tiles is outputs
outermost, so that a block's parameters are read once.
"""

from __future__ import annotations

from hwgen.plan.systolic.energy.accesses import Traffic, Use, clocks, ports
from hwgen.plan.systolic.energy.layer import Layer
from hwgen.program.array import PARAMETER_WORDS, Array

NAME = "output-stationary"
WHAT = "sums stay until they are complete, activations and weights move"


def use(layer: Layer, array: Array) -> Use:
    """Cycles and accesses of a layer."""
    across, along = -(-layer.pixels // array.rows), -(-layer.outputs // array.columns)
    a, b = -(-layer.pixels // across), -(-layer.outputs // along)
    tiles = across * along
    steps = tiles * layer.taps
    read = a * b if layer.depthwise else a
    step = max(1, ports(array, activations=read, weights=b))
    return Use(
        macs=layer.macs,
        cycles=clocks(array, tiles, layer.taps * step, a * b),
        register=Traffic(sums=2 * steps * a * b),
        neighbour=Traffic(
            activations=steps * (a * b - read),
            weights=steps * b * (a - 1),
            sums=tiles * b * a * (a - 1) // 2,
        ),
        memory=Traffic(
            activations=steps * read + layer.pixels * layer.outputs,
            weights=steps * b + along * PARAMETER_WORDS * array.columns,
        ),
    )


def runs(layer: Layer, array: Array) -> None:
    """None: for comparison only."""
