"""One Run in the model: addresses of all its loops, its blocks one after the other, and what it counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwgen.program.arithmetic import (
    Bytes,
    Ints,
    Requantiser,
    accumulated,
    dense_sums,
    depthwise_sums,
    wrapped,
)
from hwgen.program.array import GRANULE, PARAMETER_WORDS
from hwgen.program.counts import Counts
from hwgen.program.instructions import WORD, BadProgram, Run
from hwgen.program.loops import addresses, offsets
from hwgen.program.memories import Memories


class Execution:
    """`run` carries out `op` on `memories`. BadProgram for what instructions.py forbids."""

    def __init__(self, memories: Memories, op: Run) -> None:
        array = memories.array
        self.memories, self.op, self.array = memories, op, array
        self.n, self.passes = op.n0_count * op.n1_count, op.p0_count * op.p1_count
        self.blocks = op.b_count * op.t_count
        if self.n > array.depth:
            raise BadProgram(f"{self.n} outputs a tile, the accumulators hold {array.depth}")
        flags = [name for name in ("depthwise", "hold", "widen", "maximum") if getattr(op, name)]
        if array.dataflow == "output" and (self.n > array.rows or flags):
            what = f"{self.n} outputs" if self.n > array.rows else f"`{flags[0]}`"
            raise BadProgram(f"{what}: an output-stationary array does plain tiles of {array.rows}")
        if op.maximum and (op.widen or not array.maximum):
            raise BadProgram("`maximum` with `widen`" if op.widen else "the array takes no maximum")
        steps = offsets(
            (op.n0_count, op.n1_count, op.p0_count, op.p1_count, op.b_count, op.t_count),
            (op.n0_delta, op.n1_delta, op.p0_delta, op.p1_delta, op.b_delta, op.t_delta),
        )
        self.reads = (op.x + steps.reshape(self.blocks, -1)) % (1 << WORD)
        stores = offsets(
            (op.d0_count, op.d1_count, op.b_count, op.t_count),
            (op.d0_delta, op.d1_delta, op.ob_delta, op.ot_delta),
        )
        self.writes = (op.o + stores.reshape(self.blocks, -1)) % (1 << WORD)
        self.index = addresses(0, (op.d0_count, op.d1_count), (op.d0_index, op.d1_index), bits=8)
        if self.index.max() >= self.n:
            raise BadProgram(f"stores accumulator {self.index.max()} of {self.n}")
        self.used = np.zeros(self.n, dtype=bool)
        self.used[self.index] = True
        self.writer = np.full(array.activation_bytes // GRANULE, -2)  # of each granule, the block

    def run(self) -> Counts:
        """All blocks, one after the other."""
        counts, op, array = Counts(), self.op, self.array
        size = PARAMETER_WORDS + array.rows * (1 if op.hold else self.passes)
        self.memories.fetch_weights(op.w, size * op.b_count)
        for block in range(self.blocks):
            words = self.memories.fetch_weights(op.w + size * (block % op.b_count), size)
            requantiser = Requantiser.of(words[:PARAMETER_WORDS], array)
            w = words[PARAMETER_WORDS:].reshape(-1, array.rows, array.columns)
            acc = self._accumulators(block, w)
            at = self.writes[block]
            self.memories.store(at, requantiser(acc[self.index], op, array))
            self.writer[at[:, None] + np.arange(array.columns // GRANULE)] = block
            steps = self.n * self.passes
            counts += Counts(
                steps=steps,
                macs=steps * array.rows * array.columns,
                activation_reads=steps,
                weight_reads=size,
                accumulator_reads=steps - self.n + len(at),
                accumulator_writes=steps,
                stored=len(at) * array.columns,
            )
        return counts

    def _accumulators(self, block: int, w: Bytes) -> Ints:
        """(n, columns) after the last pass. BadProgram where one that is stored overflowed."""
        array, n, passes = self.array, self.n, self.passes
        x = self.memories.fetch(self.reads[block], array.rows)
        self._check_order(block, w)
        known = np.ones((passes, n, array.columns), dtype=bool)
        if self.op.depthwise:
            sums = depthwise_sums(np.concatenate([x, self._beyond(block)]), w, passes, n)
            for row in range(1, array.rows):
                known[:, max(n - row, 0) :] &= (w[:, row] == 0)[:, None]
        else:
            sums = dense_sums(x.reshape(passes, n, array.rows), w)
        after = accumulated(sums, self.op)
        known = np.logical_and.accumulate(known, axis=0) & self.used[:, None]
        half = 1 << (array.accumulator - 1)
        wrong = known & ((after < -half) | (after >= half))
        if wrong.any():
            place, i, column = (int(each) for each in np.argwhere(wrong)[0])
            raise BadProgram(
                f"block {block}, pass {place}: accumulator {i} of column {column} is "
                f"{after[place, i, column]}, beyond {array.accumulator} bits"
            )
        return wrapped(after[-1], array.accumulator)

    def _beyond(self, block: int) -> Bytes:
        """The rows - 1 words that enter after a block's own: those of the next blocks, then garbage."""
        wanted, rows = self.array.rows - 1, self.array.rows
        first = (block + 1) * self.reads.shape[1]
        at = self.reads.ravel()[first : first + wanted]
        garbage = self.memories.garbage(wanted - len(at), rows)
        return np.concatenate([self.memories.fetch(at, rows), garbage]) if len(at) else garbage

    def _check_order(self, block: int, w: Bytes) -> None:
        """BadProgram where a block needs what the one before it is only storing."""
        granules = self.reads[block][:, None] + np.arange(self.array.banks)
        late = self.writer[granules] == block - 1
        if not late.any():
            return
        late = late.reshape(self.passes, self.n, -1) & self._needed(w)
        if late.any():
            place, i, granule = (int(each) for each in np.argwhere(late)[0])
            where = granules.reshape(late.shape)[place, i, granule]
            raise BadProgram(f"block {block} reads granule {where}, which the block before it is storing")

    def _needed(self, w: Bytes) -> NDArray[np.bool_]:
        """(passes, n, granules of a word): whether what is stored depends on it."""
        array, n = self.array, self.n
        if not self.op.depthwise:
            weighed = np.broadcast_to((w != 0).any(axis=2), (self.passes, array.rows))
            lanes = weighed.reshape(self.passes, 1, array.banks, GRANULE).any(axis=3)
            return lanes & self.used[:, None]
        pairs = (w != 0).reshape(-1, array.rows, array.columns // GRANULE, GRANULE).any(axis=3)
        needed = np.zeros((self.passes, n + array.rows, array.banks), dtype=bool)
        for row in range(array.rows):
            needed[:, row : row + n, : pairs.shape[2]] |= pairs[:, row, None] & self.used[:, None]
        return needed[:, :n]
