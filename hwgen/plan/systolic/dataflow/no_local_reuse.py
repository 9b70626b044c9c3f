"""No local reuse: elements hold nothing; all comes from memory each step, as in DianNao.

Chen et al., "DianNao", ASPLOS 2014; class "NLR" of Chen, Emer, Sze, "Eyeriss", ISCA 2016. Passes, tiles and
sums are those of the weight-stationary order, but weights are read from memory in each step:

    weights from memory = steps * A * B      (depthwise: steps * B, one row of the array a channel)

The weight memory gives B a clock, so a step takes A clocks (depthwise: one).
"""

from __future__ import annotations

from dataclasses import replace

from hwgen.plan.systolic.dataflow import weight_stationary
from hwgen.plan.systolic.energy.accesses import Traffic, Use, clocks, ports
from hwgen.plan.systolic.energy.layer import Layer
from hwgen.program.array import PARAMETER_WORDS, Array

NAME = "no local reuse"
WHAT = "elements keep nothing, every weight comes from memory each step"


def use(layer: Layer, array: Array) -> Use:
    """Cycles and accesses of a layer."""
    mapping = weight_stationary.mapping(layer, array)
    held = mapping.use(layer.macs, array)
    each = array.columns * (1 if layer.depthwise else array.rows)
    steps = mapping.counts(array).steps
    parameters = mapping.turns * PARAMETER_WORDS * array.columns
    step = max(1, ports(array, weights=each))
    cycles = sum(
        clocks(array, count * mapping.blocks, mapping.passes * n * step, stored * array.columns)
        for count, n, stored in mapping.tiles
    )
    memory = replace(held.memory, weights=steps * each + parameters)
    return replace(held, cycles=cycles, register=Traffic(), memory=memory)


def runs(layer: Layer, array: Array) -> None:
    """None: for comparison only."""
