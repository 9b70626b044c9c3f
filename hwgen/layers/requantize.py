"""Staircases that are a runtime's requantisation: accumulator in, clamped 8-bit integer out.

"tflm" (TFLite Micro, CMSIS-NN, LiteRT before 1.3) rounds twice: a doubling high multiply to
int32, then a rounding shift. Newer LiteRT rounds once in FULLY_CONNECTED.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import (
    INT32_MAX,
    INT32_MIN,
    Ints,
    ints,
    multiply_double_rounding,
    multiply_single_rounding,
    quantize_multipliers,
)
from hwgen.numeric.staircase import Staircase, from_function

Rounding = Literal["double", "single"]


class NoStaircase(ValueError):
    """The runtime's function has no exact integer steps here; the message says why."""


def requantize(
    lo: ArrayLike,
    hi: ArrayLike,
    real_multipliers: ArrayLike,
    zero_point: int,
    clamp: Range,
    rounding: Rounding = "double",
    offset: int = 0,
) -> Staircase:
    """y = clamp(round((x + offset) * real_multiplier) + zero_point) for x in [lo[r], hi[r]].

    lo, hi: (rows,) reachable inputs. real_multipliers: (rows,) or one for all. Raises
    NoStaircase where x + offset, or its left shift for a multiplier of 1 or more, leaves int32.
    """
    multiplier, shift = quantize_multipliers(np.asarray(real_multipliers, dtype=np.float64))
    return requantize_fixed(lo, hi, multiplier, shift, zero_point, clamp, rounding, offset)


def requantize_fixed(
    lo: ArrayLike,
    hi: ArrayLike,
    multiplier: ArrayLike,
    shift: ArrayLike,
    zero_point: int,
    clamp: Range,
    rounding: Rounding = "double",
    offset: int = 0,
) -> Staircase:
    """`requantize` by multiplier * 2^(shift-31) with given integers."""
    lo, hi = np.atleast_1d(ints(lo)), np.atleast_1d(ints(hi))
    rows = len(lo)
    m = np.broadcast_to(ints(multiplier), (rows,))[:, None]
    s = np.broadcast_to(ints(shift), (rows,))[:, None]
    _check_overflow(lo + offset, hi + offset, s[:, 0], rounding)
    multiply = multiply_double_rounding if rounding == "double" else multiply_single_rounding

    def f(x: Ints) -> Ints:
        return np.clip(multiply(x + offset, m, s) + zero_point, clamp.lo, clamp.hi)

    return from_function(f, lo, hi)


def _check_overflow(lo: Ints, hi: Ints, shift: Ints, rounding: Rounding) -> None:
    left = np.maximum(shift, 0) if rounding == "double" else np.zeros_like(shift)
    if np.any(lo < INT32_MIN >> left) or np.any(hi > INT32_MAX >> left):
        worst = int(np.argmax(np.maximum(-lo, hi) << left))
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
