"""The narrowest integer tables whose sum decides an addition exactly.

Given what the runtime makes of every pair, out[a, b] = g(fa[a] + fb[b]) with its own roundings, find
integers A, B and steps with out = #(steps <= A[a] + B[b]): A = round(fa * 2^k / unit) for the
smallest k at which no two pairs of different output share a sum. At 8 bits these are 65,536 pairs,
so the proof is the enumeration itself. With `unit` one output step, the steps lie 2^k apart
wherever the gaps allow it, and the activation becomes a plain shift.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwgen.numeric.rounding import Ints
from hwgen.numeric.staircase import Staircase

MAX_BITS = 48


@dataclass(frozen=True, eq=False)
class PairSum:
    """out[a, b] = act(tables[0][a] + tables[1][b])."""

    tables: tuple[Ints, Ints]
    act: Staircase


def fit_pair_sum(fa: NDArray, fb: NDArray, out: Ints, unit: float, zero: int) -> PairSum | None:
    """fa: (na,), fb: (nb,) rising reals; out: (na, nb), monotone in their sum; zero: output at sum 0.

    Prefers the smallest k whose steps are evenly 2^k apart, else the smallest that is exact; None if
    there is none up to MAX_BITS.
    """
    order = np.argsort(out, axis=None, kind="stable")
    levels, starts = np.unique(out.ravel()[order], return_index=True)
    fallback: PairSum | None = None
    for k in range(MAX_BITS):
        a, b = (np.rint(np.asarray(f, dtype=np.float64) * (2.0**k / unit)).astype(np.int64) for f in (fa, fb))
        sums = (a[:, None] + b[None, :]).ravel()[order]
        lowest = np.minimum.reduceat(sums, starts)
        highest = np.maximum.reduceat(sums, starts)
        if np.any(highest[:-1] >= lowest[1:]):
            continue
        steps, even = _steps(levels, lowest, highest, k, zero)
        span = [np.array([v], dtype=np.int64) for v in (levels[0], 1, lowest.min(), highest.max())]
        fit = PairSum((a, b), Staircase(steps[None, :], *span))
        if even:
            return fit
        fallback = fallback or fit
        if k > 30:
            break
    return fallback


def _steps(levels: Ints, lowest: Ints, highest: Ints, k: int, zero: int) -> tuple[Ints, bool]:
    """Steps to all values after the first level, as near (value - zero - 1/2) * 2^k as exactness lets."""
    if len(levels) == 1:
        return np.array([highest[0] + 1], dtype=np.int64), True
    gaps = np.diff(levels)
    values = np.arange(levels[0] + 1, levels[-1] + 1)
    after = np.repeat(highest[:-1] + 1, gaps)
    upto = np.repeat(lowest[1:], gaps)
    ideal = ((2 * (values - zero) - 1) << k) >> 1
    steps = np.clip(ideal, after, upto)
    return steps, bool(np.array_equal(steps, ideal))
