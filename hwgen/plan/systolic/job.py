"""A layer as the engine does it: Runs without weight addresses, and the weights block by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hwgen.numeric.requantise import Requantised
from hwgen.numeric.rounding import Ints
from hwgen.program.array import GRANULE, Array
from hwgen.program.image import parameters
from hwgen.program.instructions import WORD, Run, deltas

Loop = tuple[int, int]
"""(count, stride); strides of addresses are bytes."""


MOST_SPANS = 9  # of blocks with different numbers of digits: each is Runs of its own


class TooMuch(ValueError):
    """A layer that the array cannot hold; the message says what is too large."""


@dataclass
class Job:
    """runs: each computes all blocks. weights: the stream's bytes of each block, all of one size."""

    runs: list[Run]
    weights: list[bytes] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Nest:
    """Loops of a Run in bytes, innermost first; x, o: addresses in bytes. index: accumulators, per d."""

    x: int
    n: Sequence[Loop]
    p: Sequence[Loop]
    b: Loop
    t: Loop = (1, 0)
    o: int
    d: Sequence[Loop]
    index: Sequence[int]
    ob: int = 0
    ot: int = 0

    def run(self, fit: Requantised, **flags: bool) -> Run:
        """The instruction, its weights at 0. TooMuch where a loop is too long."""
        n, p, d = (_pair(each) for each in (self.n, self.p, self.d))
        reads = [*n, *p, self.b, self.t]
        writes = [*d, (self.b[0], self.ob), (self.t[0], self.ot)]
        for count, _ in (*reads, *writes):
            if count > 256:
                raise TooMuch(f"a loop of {count} turns, the longest is 256")
        dx = deltas([count for count, _ in reads], [_granules(s) if n > 1 else 0 for n, s in reads])
        do = deltas([count for count, _ in writes], [_granules(s) if n > 1 else 0 for n, s in writes])
        index = list(self.index) + [0] * (2 - len(self.index))
        di = deltas([count for count, _ in d], index)
        return Run(
            **flags, twice=fit.twice, away=fit.away,
            x=_granules(self.x) % (1 << WORD), o=_granules(self.o) % (1 << WORD), w=0,
            n0_count=n[0][0], n0_delta=dx[0], n1_count=n[1][0], n1_delta=dx[1],
            p0_count=p[0][0], p0_delta=dx[2], p1_count=p[1][0], p1_delta=dx[3],
            b_count=self.b[0], b_delta=dx[4], t_count=self.t[0], t_delta=dx[5],
            d0_count=d[0][0], d0_delta=do[0], d0_index=di[0] % 256,
            d1_count=d[1][0], d1_delta=do[1], d1_index=di[1] % 256,
            ob_delta=do[2], ot_delta=do[3],
            zero=fit.zero % 256, lo=fit.lo % 256, hi=fit.hi % 256,
        )  # fmt: skip


def _pair(loops: Sequence[Loop]) -> list[Loop]:
    return [*loops, *((1, 0),) * (2 - len(loops))]


def _granules(distance: int) -> int:
    if distance % GRANULE:
        raise TooMuch(f"a distance of {distance} bytes is not one of whole granules")
    return distance // GRANULE


def block_stream(fit: Requantised, constant: Ints, rows: Ints, weights: Ints, array: Array) -> bytes:
    """The stream of one block: parameters of rows `rows` (-1: none), then weights (words, columns).

    constant: what the engine's sums lack of the staircase's input, times the gain, one a row.
    """
    real = rows >= 0
    bias = np.where(real, fit.bias[rows] + constant[rows], 0)
    multiplier, shift = np.where(real, fit.multiplier[rows], 0), np.where(real, fit.shift[rows], 0)
    head = parameters(multiplier.tolist(), shift.tolist(), bias.tolist(), array.columns)
    return head + np.ascontiguousarray(weights, dtype=np.int64).astype(np.int8).tobytes()


def digit_counts(weights: Ints, columns: int) -> list[int]:
    """Of each block of `columns` outputs (first axis): 1, or 2 where weights are beyond 8 bits.

    Where that would cut a layer into many Runs, the shortest spans of blocks between others have 2 as well.
    """
    blocks = weights.reshape(len(weights) // columns, -1)
    beyond = (blocks.min(axis=1) < -128) | (blocks.max(axis=1) > 127)
    counts = [1 + int(each) for each in beyond]
    while len(spans(counts)) > MOST_SPANS:
        first, count = min((s for s in spans(counts) if counts[s[0]] == 1), key=lambda s: s[1])
        counts[first : first + count] = [2] * count
    return counts


def digits_of(weights: Ints, count: int) -> list[Ints]:
    """`count` arrays of int8 whose sum the weights are."""
    low = np.clip(weights, -128, 127)
    return [low] if count == 1 else [low, weights - low]


def spans(digits: Sequence[int]) -> list[tuple[int, int]]:
    """(first, count) of the groups of blocks, one after the other, with equal numbers of digits."""
    result: list[tuple[int, int]] = []
    for block, each in enumerate(digits):
        if result and digits[block - 1] == each:
            result[-1] = (result[-1][0], result[-1][1] + 1)
        else:
            result.append((block, 1))
    return result


def part(run: Run, first: int, count: int, blocks: int) -> Run:
    """The Run of blocks first .. first + count - 1 of `blocks`."""
    if (first, count) == (0, blocks):
        return run
    b = _block_strides(run)
    limit = 1 << WORD
    return replace(
        run,
        b_count=count,
        x=(run.x + first * b[0]) % limit,
        o=(run.o + first * b[1]) % limit,
        t_delta=(run.t_delta + (blocks - count) * b[0]) % limit,
        ot_delta=(run.ot_delta + (blocks - count) * b[1]) % limit,
    )


def _block_strides(run: Run) -> tuple[int, int]:
    """What a block's input and output addresses are beyond those of the block before, in granules."""
    found = []
    reads = [(getattr(run, f"{n}_count"), getattr(run, f"{n}_delta")) for n in ("n0", "n1", "p0", "p1")]
    writes = [(run.d0_count, run.d0_delta), (run.d1_count, run.d1_delta)]
    for loops, last in ((reads, run.b_delta), (writes, run.ob_delta)):
        inner = 0
        for count, delta in loops:
            inner += (count - 1) * (delta + inner)
        found.append(last + inner)
    return found[0], found[1]
