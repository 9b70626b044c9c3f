"""What the engine computes with numbers: products of a pass, sums of passes, requantisation.

Equations are those of instructions.py; everything is exact in int64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwgen.program.array import GROUP, PARAMETER_WORDS, Array
from hwgen.program.instructions import BIAS_BITS, MULTIPLIER_BITS, SHIFT_BITS, WIDEN, BadProgram, Run

Ints = NDArray[np.int64]
Bytes = NDArray[np.int8]


def dense_sums(x: Bytes, w: Bytes) -> Ints:
    """(passes, n, columns): x (passes, n, rows) times w (passes or 1, rows, columns)."""
    return np.matmul(x.astype(np.float64), w.astype(np.float64)).astype(np.int64)


def depthwise_sums(flat: Bytes, w: Bytes, passes: int, n: int) -> Ints:
    """(passes, n, columns): sum over r of w[p, r, c] * flat[p*n + i + r, c]; flat has rows - 1 more words."""
    _, rows, columns = w.shape
    total = np.zeros((passes, n, columns), dtype=np.int64)
    lanes = flat[:, :columns].astype(np.int64)
    for row in range(rows):
        total += lanes[row : row + passes * n].reshape(passes, n, columns) * w[:, row, None, :]
    return total


def accumulated(sums: Ints, run: Run) -> Ints:
    """(passes, n, columns): the accumulators after every pass."""
    passes = sums.shape[0]
    digit = run.p0_count if run.widen else passes
    add = np.maximum if run.maximum else np.add
    after = np.empty_like(sums)
    for first in range(0, passes, digit):
        part = sums[first : first + digit].copy()
        if first:
            part[0] += after[first - 1] << WIDEN
        add.accumulate(part, axis=0, out=after[first : first + digit])
    return after


def byte(value: int) -> int:
    """The signed number of 8 bits."""
    return (value + 128) % 256 - 128


def wrapped(values: Ints, bits: int) -> Ints:
    """The signed numbers of the values' low bits."""
    half = 1 << (bits - 1)
    return ((values + half) & ((1 << bits) - 1)) - half


@dataclass(frozen=True)
class Requantiser:
    """A block's parameters, one entry a column."""

    multiplier: Ints
    shift: Ints
    bias: Ints

    @classmethod
    def of(cls, words: Bytes, array: Array) -> Requantiser:
        """From PARAMETER_WORDS weight words. BadProgram for numbers that the array does not hold."""
        halves = np.ascontiguousarray(words).view("<u4").reshape(PARAMETER_WORDS, array.groups)
        packed = np.ascontiguousarray(halves.T).view("<u8").reshape(array.groups * GROUP)
        multiplier = packed & ((1 << MULTIPLIER_BITS) - 1)
        shift = packed >> MULTIPLIER_BITS & ((1 << SHIFT_BITS) - 1)
        bias = wrapped(
            (packed >> (MULTIPLIER_BITS + SHIFT_BITS) & ((1 << BIAS_BITS) - 1)).astype(np.int64), BIAS_BITS
        )
        parameters = cls(multiplier.astype(np.int64), shift.astype(np.int64), bias)
        if int(parameters.multiplier.max()) >> array.multiplier:
            raise BadProgram(f"a multiplier of more than {array.multiplier} bits")
        if not np.array_equal(wrapped(bias, array.bias), bias):
            raise BadProgram(f"a bias of more than {array.bias} bits")
        return parameters

    def __call__(self, acc: Ints, run: Run, array: Array) -> Bytes:
        """requantised(acc), (words, columns)."""
        top = 1 << (array.operand - 1)
        d = np.clip(acc + self.bias, -top, top - 1)
        q = (self.multiplier * d + (int(run.twice) << (array.multiplier - 1))) >> array.multiplier
        half = np.where(self.shift > 0, np.left_shift(1, np.maximum(self.shift - 1, 0)), 0)
        y = (q + half - ((q < 0) & run.away & (self.shift > 0))) >> self.shift
        return np.minimum(np.maximum(y + byte(run.zero), byte(run.lo)), byte(run.hi)).astype(np.int8)
