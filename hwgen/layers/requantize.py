"""Staircases that are a runtime's requantisation: accumulator in, clamped 8-bit integer out.

"fixed" (TFLite Micro, CMSIS-NN, LiteRT's reference kernels) multiplies by a 31-bit fixed-point
number and rounds twice: a doubling high multiply to int32, then a rounding shift. "real" (LiteRT
from 1.3 on, FULLY_CONNECTED only; measured against 2.3.0) multiplies by the double itself and
rounds once, halves away from zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import (
    INT32_MAX,
    INT32_MIN,
    Ints,
    ints,
    multiply_double_rounding,
    quantize_multipliers,
)
from hwgen.numeric.staircase import Staircase, from_function

Rounding = Literal["fixed", "real"]


class NoStaircase(ValueError):
    """The runtime's function has no exact integer steps here; the message says why."""


def requantize(
    lo: ArrayLike,
    hi: ArrayLike,
    real_multipliers: ArrayLike,
    zero_point: int,
    clamp: Range,
    rounding: Rounding = "fixed",
    offset: int = 0,
) -> Staircase:
    """y = clamp(round((x + offset) * real_multiplier) + zero_point) for x in [lo[r], hi[r]].

    lo, hi: (rows,) reachable inputs. real_multipliers: (rows,) or one for all. Raises NoStaircase
    where x + offset, or its left shift for a "fixed" multiplier of 1 or more, leaves int32.
    """
    reals = np.asarray(real_multipliers, dtype=np.float64)
    if not np.all(np.isfinite(reals)):
        raise NoStaircase("the product of the scales overflows")
    if rounding == "fixed":
        return requantize_fixed(lo, hi, *quantize_multipliers(reals), zero_point, clamp, offset)
    lo, hi = np.atleast_1d(ints(lo)), np.atleast_1d(ints(hi))
    _check_overflow(lo + offset, hi + offset, np.zeros_like(lo))

    def f(x: Ints, m: NDArray[np.float64]) -> Ints:
        return np.clip(multiply_real(x + offset, m) + zero_point, clamp.lo, clamp.hi)

    if np.all(reals == reals.flat[0]):
        return _one_function(lambda x: f(x, reals.reshape(-1, 1)[:1]), lo, hi)
    return from_function(lambda x: f(x, reals[:, None]), lo, hi)


def multiply_real(x: Ints, multiplier: NDArray[np.float64]) -> Ints:
    """C's round(x * multiplier) in double, halves away from zero; saturated far outside 8 bits."""
    product = x.astype(np.float64) * multiplier
    whole = np.trunc(product)
    rounded = whole + np.where(np.abs(product - whole) >= 0.5, np.sign(product), 0.0)
    return np.clip(rounded, -(1 << 40), 1 << 40).astype(np.int64)


def requantize_fixed(
    lo: ArrayLike,
    hi: ArrayLike,
    multiplier: ArrayLike,
    shift: ArrayLike,
    zero_point: int,
    clamp: Range,
    offset: int = 0,
) -> Staircase:
    """`requantize` by multiplier * 2^(shift-31) with given integers, rounded twice."""
    lo, hi = np.atleast_1d(ints(lo)), np.atleast_1d(ints(hi))
    m = np.broadcast_to(ints(multiplier), lo.shape)
    s = np.broadcast_to(ints(shift), lo.shape)
    _check_overflow(lo + offset, hi + offset, np.maximum(s, 0))

    def f(x: Ints, m: Ints, s: Ints) -> Ints:
        return np.clip(multiply_double_rounding(x + offset, m, s) + zero_point, clamp.lo, clamp.hi)

    if np.all(m == m[0]) and np.all(s == s[0]):
        return _one_function(lambda x: f(x, m[0], s[0]), lo, hi)
    return from_function(lambda x: f(x, m[:, None], s[:, None]), lo, hi)


def _one_function(f: Callable[[Ints], Ints], lo: Ints, hi: Ints) -> Staircase:
    """`from_function` of a rising f that is the same in every row: searched once, cut for each row."""
    whole = from_function(f, lo.min()[None], hi.max()[None])
    steps = whole.steps[0]
    first = np.searchsorted(steps, lo, side="right")  # so many steps lie at or below lo
    count = np.searchsorted(steps, hi, side="right") - first
    index = first[:, None] + np.arange(max(int(count.max()), 1))
    never = (hi + 1)[:, None]
    padded = np.append(steps, hi.max() + 1)
    cut = np.minimum(padded[np.minimum(index, len(steps))], never)
    return Staircase(cut, whole.base[0] + first, np.ones_like(lo), lo, hi)


def _check_overflow(lo: Ints, hi: Ints, left: Ints) -> None:
    outside = (lo < INT32_MIN >> left) | (hi > INT32_MAX >> left)
    if np.any(outside):
        worst = int(np.argmax(outside))
        raise NoStaircase(
            f"channel {worst}: accumulators {lo[worst]}..{hi[worst]} times 2^{left[worst]} "
            "leave int32 in the runtime itself"
        )


def table(values: ArrayLike, first: int) -> Staircase:
    """The staircase of a monotone table: y = values[x - first]."""
    values = ints(values)
    lo, hi = np.array([first]), np.array([first + len(values) - 1])
    differences = np.diff(values)
    if np.any(differences < 0) and np.any(differences > 0):
        raise NoStaircase("the runtime's function is not monotone for these scales")
    return from_function(lambda x: values[np.clip(x - first, 0, len(values) - 1)], lo, hi)
