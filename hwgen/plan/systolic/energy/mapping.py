"""A layer as Runs of the engine, by their numbers of turns only, and what they count.

The counts equal those of `hwgen.program.execution` for the compiled program, and the hardware's counters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hwgen.plan.systolic.energy.accesses import Traffic, Use
from hwgen.plan.systolic.tiling import Tiler
from hwgen.program import timing
from hwgen.program.array import PARAMETER_WORDS, Array
from hwgen.program.counts import Counts
from hwgen.program.instructions import Run
from hwgen.program.timing import Latencies


@dataclass(frozen=True)
class Mapping:
    """tiles: (how many, accumulators used, outputs stored) of each Run. passes, blocks: of each tile.

    hold: all passes of a block have the weights of the first. cycles: of all, about.
    """

    tiles: tuple[tuple[int, int, int], ...]
    passes: int
    blocks: int
    hold: bool = False
    depthwise: bool = False
    cycles: int = 0

    @classmethod
    def of(cls, runs: Iterable[Run]) -> Mapping:
        """That of compiled Runs, which share passes, blocks and weights."""
        runs = list(runs)
        first = runs[0]
        tiles = tuple((run.t_count, run.n0_count * run.n1_count, run.d0_count * run.d1_count) for run in runs)
        return cls(tiles, first.p0_count * first.p1_count, first.b_count, first.hold, first.depthwise)

    @classmethod
    def tiled(cls, tiler: Tiler, size: tuple[int, int], depthwise: bool = False) -> Mapping:
        """The compiler's tiles of an image of `size` outputs. ValueError where one output is too much."""
        cover = tiler.cover(*size)
        if not cover:
            raise ValueError(f"the accumulators' {tiler.array.depth} words are too few for one output")
        tiles = tuple(
            (each.count, tiler.steps(each.rows, each.columns), each.rows * each.columns) for each in cover
        )
        cycles = sum(tiler.clocks(each) for each in cover)
        return cls(tiles, tiler.passes, tiler.blocks, tiler.hold, depthwise, cycles)

    @property
    def turns(self) -> int:
        """Blocks of all tiles: how often an accumulator bank is filled."""
        return self.blocks * sum(count for count, _, _ in self.tiles)

    def counts(self, array: Array) -> Counts:
        """Steps = turns * n * passes; an accumulator is written each step, read in all passes but the first
        and when it is stored; weights are read again each turn."""
        filled = self.blocks * sum(count * n for count, n, _ in self.tiles)
        stored = self.blocks * sum(count * outputs for count, _, outputs in self.tiles)
        steps = filled * self.passes
        words = PARAMETER_WORDS + array.rows * (1 if self.hold else self.passes)
        return Counts(
            steps=steps,
            macs=steps * array.rows * array.columns,
            activation_reads=steps,
            weight_reads=self.turns * words,
            accumulator_reads=steps - filled + stored,
            accumulator_writes=steps,
            stored=stored * array.columns,
        )

    def clocks(self, array: Array, latencies: Latencies) -> int:
        """Exactly what its Runs take, by `hwgen.program.timing`; where they lie in memory does not matter."""
        program = [
            Run(
                x=0, w=0, o=0, n0_delta=0, d0_delta=0, hold=self.hold, depthwise=self.depthwise,
                n0_count=n, p0_count=self.passes, b_count=self.blocks, t_count=count, d0_count=outputs,
            )
            for count, n, outputs in self.tiles
        ]  # fmt: skip
        return sum(each.clocks for each in timing.clocks(program, array, latencies))

    def use(self, macs: int, array: Array) -> Use:
        """Accesses. Each element reads its weight each step and hands its sum on; an activation goes to all
        `columns` elements of a row, in depthwise order to all `rows` of a column."""
        counts, r, c = self.counts(array), array.rows, array.columns
        loads = self.turns * r * (1 if self.hold else self.passes)
        hops = (r - 1) * c if self.depthwise else r * (c - 1)
        return Use(
            macs=macs,
            cycles=self.cycles,
            register=Traffic(weights=counts.macs + loads * c),
            neighbour=Traffic(activations=counts.steps * hops, sums=counts.steps * (r - 1) * c),
            memory=Traffic(
                activations=counts.activation_reads * r + counts.stored,
                weights=counts.weight_reads * c,
                sums=(counts.accumulator_reads + counts.accumulator_writes) * c,
            ),
        )
