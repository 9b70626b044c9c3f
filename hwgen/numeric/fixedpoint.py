"""gemmlowp's fixed-point functions on raw int32 values: exp, logistic, tanh, reciprocal.

A value with i integer bits is raw * 2^(i-31) ("Q(i).(31-i)"). TFLite's int8 softmax, logistic and
tanh are these polynomials, so equality with the runtime needs each rounding in its place. Arrays
are int64 with int32 contents. Source: gemmlowp fixedpoint/fixedpoint.h.
"""

from __future__ import annotations

import numpy as np

from hwgen.numeric.rounding import (
    INT32_MAX,
    INT32_MIN,
    Ints,
    ints,
    rounding_divide_by_pot,
    wrap32,
)
from hwgen.numeric.rounding import saturating_rounding_doubling_high_mul as mul

ONE = INT32_MAX  # 1.0 with no integer bits is the largest raw value


def constant(value: float, integer_bits: int = 0) -> int:
    """The nearest raw value of a constant."""
    return min(round(value * (1 << (31 - integer_bits))), INT32_MAX)


def multiply_by_pot(x: Ints, exponent: int) -> Ints:
    """x * 2^exponent: saturating to the left, rounding (halves away from zero) to the right."""
    if exponent <= 0:
        return rounding_divide_by_pot(x, -exponent)
    return np.clip(x << exponent, INT32_MIN, INT32_MAX)


def rounding_half_sum(a: Ints, b: Ints | int) -> Ints:
    """(a + b) / 2, halves away from zero."""
    total = a + b
    sign = np.where(total >= 0, 1, -1)
    nudged = total + sign
    return np.where(nudged >= 0, nudged >> 1, -((-nudged) >> 1))


def exp_on_negative_values(x: Ints, integer_bits: int) -> Ints:
    """exp(x) for x <= 0 with `integer_bits`; the result has none (1.0 is the largest raw value).

    exp of the part in [-1/4, 0) is a polynomial around -1/8; each further bit of x is one multiply.
    """
    x = ints(x)
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    low = (x & (quarter - 1)) - quarter
    result = _exp_on_quarter(multiply_by_pot(low, integer_bits))
    remainder = low - x
    for exponent in range(-2, 5):
        if integer_bits > exponent:
            bit = 1 << (fraction_bits + exponent)
            factor = constant(np.exp(-(2.0**exponent)))
            result = np.where(remainder & bit, mul(result, factor), result)
    if integer_bits > 5:
        result = np.where(x < -(1 << (fraction_bits + 5)), 0, result)
    return np.where(x == 0, ONE, result)


def _exp_on_quarter(a: Ints) -> Ints:
    """exp(a) for a in [-1/4, 0), no integer bits: exp(-1/8) * (1 + t + t^2/2 + t^3/6 + t^4/24)."""
    t = a + (1 << 28)
    t2 = mul(t, t)
    t3 = mul(t2, t)
    t4_4 = multiply_by_pot(mul(t2, t2), -2)
    cubic = multiply_by_pot(mul(t4_4 + t3, constant(1.0 / 3.0)) + t2, -1)
    term = constant(np.exp(-1.0 / 8.0))
    return term + mul(term, t + cubic)


def one_over_one_plus(a: Ints) -> Ints:
    """1 / (1 + a) for a in [0, 1]: three Newton steps with two integer bits."""
    return _newton(a)


def one_minus_over_one_plus(a: Ints) -> Ints:
    """(1 - a) / (1 + a) for a in [0, 1]."""
    half = rounding_half_sum(a, ONE)
    x = _reciprocal(half)
    return multiply_by_pot(x - (1 << 29), 2)


def _newton(a: Ints) -> Ints:
    return multiply_by_pot(_reciprocal(rounding_half_sum(ints(a), ONE)), 1)


def _reciprocal(half: Ints) -> Ints:
    """1 / half with two integer bits for half in [1/2, 1]; start 48/17 - 32/17 * half."""
    x = constant(48.0 / 17.0, 2) + mul(half, constant(-32.0 / 17.0, 2))
    for _ in range(3):
        error = (1 << 29) - mul(half, x)
        x = x + multiply_by_pot(mul(x, error), 2)
    return x


def logistic(x: Ints, integer_bits: int) -> Ints:
    """1 / (1 + exp(-x)), no integer bits in the result."""
    x = ints(x)
    positive = one_over_one_plus(exp_on_negative_values(-np.abs(x), integer_bits))
    result = np.where(x >= 0, positive, ONE - positive)
    return np.where(x == 0, 1 << 30, result)


def tanh(x: Ints, integer_bits: int) -> Ints:
    """tanh(x), no integer bits in the result."""
    x = ints(x)
    positive = one_minus_over_one_plus(exp_on_negative_values(-np.abs(x), integer_bits + 1))
    return np.where(x == 0, 0, np.where(x > 0, positive, -positive))


def reciprocal(x: Ints, integer_bits: int) -> tuple[Ints, Ints]:
    """(scale, bits): 1/x = scale * 2^-(31 + bits) for x > 0 with `integer_bits` (TFLite GetReciprocal)."""
    x = ints(x)
    leading_zeros = 32 - np.frexp(x.astype(np.float64))[1].astype(np.int64)
    shifted = wrap32((x << leading_zeros) - (1 << 31))
    return one_over_one_plus(shifted), integer_bits - leading_zeros
