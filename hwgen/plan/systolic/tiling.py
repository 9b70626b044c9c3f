"""Tiles of outputs: how many rows and columns of an image one turn of the accumulators takes.

A simple count of clocks decides: blocks of a tile are computed while the one before leaves at one output
in GROUP clocks, so a layer's last tile should be small, and passes not shorter than their weights take.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hwgen.program.array import GROUP, PARAMETER_WORDS, Array
from hwgen.program.instructions import Run

START = 40  # clocks to read an instruction, fill the pipeline and empty it
MARGIN = 5  # clocks between passes' weights beyond the rows themselves
LONGEST = 256  # of any loop
WORDS = 120  # clocks that another instruction is worth: the program memory is small


def estimate(run: Run, array: Array) -> int:
    """About how many clocks a Run takes."""
    steps, outputs = run.n0_count * run.n1_count, run.d0_count * run.d1_count
    blocks, passes = run.b_count * run.t_count, run.p0_count * run.p1_count
    return _clocks(array, blocks, passes, steps, outputs, run.hold)


def _clocks(array: Array, blocks: int, passes: int, steps: int, outputs: int, hold: bool) -> int:
    least = 1 if hold else array.rows + MARGIN
    compute = passes * max(steps, least)
    if array.shared_activations:
        compute += outputs
    compute = max(compute, PARAMETER_WORDS + least)
    return blocks * max(compute, GROUP * outputs) + GROUP * outputs + START


@dataclass(frozen=True)
class Tiles:
    """`count` tiles of rows x columns outputs, one below the other, the first at (y, x)."""

    y: int
    x: int
    rows: int
    columns: int
    count: int


@dataclass(frozen=True)
class Tiler:
    """steps(rows, columns): accumulators that a tile takes. passes, blocks: of the layer."""

    array: Array
    passes: int
    blocks: int
    steps: Callable[[int, int], int]
    hold: bool = False

    def clocks(self, tiles: Tiles) -> int:
        """About what a Run of these tiles takes."""
        steps = self.steps(tiles.rows, tiles.columns)
        blocks = self.blocks * tiles.count
        return _clocks(self.array, blocks, self.passes, steps, tiles.rows * tiles.columns, self.hold)

    def cover(self, height: int, width: int) -> list[Tiles]:
        """Tiles for an image of outputs; none if a single output is too much."""
        columns = next((n for n in range(min(width, LONGEST), 0, -1) if self._fits(1, n)), 0)
        if not columns:
            return []
        pieces = -(-width // columns)
        columns = -(-width // pieces)
        result = []
        for x in range(0, width, columns):
            result += self._rows(height, x, min(columns, width - x))
        return result

    def _fits(self, rows: int, columns: int) -> bool:
        return self.steps(rows, columns) <= self.array.depth

    def _rows(self, height: int, x: int, columns: int) -> list[Tiles]:
        best: tuple[int, list[Tiles]] | None = None
        for rows in range(1, min(height, LONGEST) + 1):
            if not self._fits(rows, columns):
                break
            tiles, y = [], 0
            while height - y >= rows:
                tiles.append(Tiles(y, x, rows, columns, min((height - y) // rows, LONGEST)))
                y += rows * tiles[-1].count
            if y < height:
                tiles.append(Tiles(y, x, height - y, columns, 1))
            clocks = sum(self.clocks(each) for each in tiles) + WORDS * len(tiles)
            if best is None or clocks <= best[0]:
                best = clocks, tiles
        assert best is not None
        return best[1]
