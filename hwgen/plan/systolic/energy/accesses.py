"""How often numbers are moved, by the memory they are moved at.

Levels, after Sze, Chen, Yang, Emer, "Efficient Processing of Deep Neural Networks" (Proc. IEEE 105, 2017):

    register    read or written inside a processing element
    neighbour   handed from an element to the next, or by a wire along a row or column to one more element
    memory      block RAM or SPRAM on the chip: activations, weights, accumulators
    offchip     flash or SDRAM

What a step moves is counted whether it is of use or not: a column without an output is clocked like the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from hwgen.program.array import GROUP, Array

START = 40  # clocks to read an instruction, fill the pipeline and empty it
BITS = 8  # of an activation, of a weight


@dataclass(frozen=True)
class Traffic:
    """Numbers moved at one level. sums: partial sums and accumulators."""

    activations: int = 0
    weights: int = 0
    sums: int = 0

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    @property
    def total(self) -> int:
        """Accesses."""
        return self.activations + self.weights + self.sums

    def bits(self, array: Array) -> int:
        """Bits moved."""
        return BITS * (self.activations + self.weights) + array.accumulator * self.sums


LEVELS = ("register", "neighbour", "memory", "offchip")


@dataclass(frozen=True)
class Use:
    """What a layer costs in one dataflow. macs: products of use. cycles: of the engine's own Runs exact
    where its latencies are known; else about, with weights and activations at hand."""

    macs: int
    cycles: int
    register: Traffic = Traffic()
    neighbour: Traffic = Traffic()
    memory: Traffic = Traffic()
    offchip: Traffic = Traffic()

    def __add__(self, other: Use) -> Use:
        return Use(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def utilisation(self, array: Array) -> float:
        """Products of use by those that the array could have made."""
        return self.macs / (array.rows * array.columns * self.cycles)


def ports(array: Array, activations: float = 0, weights: float = 0, sums: float = 0) -> float:
    """Clocks in which the memories' ports move so many numbers: a word of `rows` activations, one of
    `columns` weights, one of `columns` accumulators each clock."""
    return max(activations / array.rows, weights / array.columns, sums / array.columns)


def clocks(array: Array, tiles: int, compute: float, outputs: int) -> int:
    """Of `tiles` turns of the accumulators.

    compute: clocks of one turn. outputs: numbers that it leaves; they go out in words of `columns`, one in
    GROUP clocks, while the next turn is computed; where memory is shared, a word takes a clock from the
    array.
    """
    words = -(-outputs // array.columns)
    busy = compute + (words if array.shared_activations else 0)
    return int(-(-max(busy, GROUP * words) * tiles // 1)) + GROUP * words + START
