"""The integer and float rounding rules of the runtimes, vectorised in NumPy.

Sources: gemmlowp's fixedpoint.h (doubling high multiply, rounding divide), TensorFlow Lite's
common.h and quantization_util.cc (quantised multiplier, double and single rounding), ONNX's
QuantizeLinear (float32, half to even). All integer arrays are int64; results are exact.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]

INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1


def ints(values: ArrayLike) -> Ints:
    """As an int64 array."""
    return np.asarray(values, dtype=np.int64)


def saturating_rounding_doubling_high_mul(a: ArrayLike, b: ArrayLike) -> Ints:
    """round(a*b / 2^31), halves away from zero, as gemmlowp does; saturates for a = b = -2^31."""
    a, b = ints(a), ints(b)
    product = a * b
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    high = np.where(nudged >= 0, nudged >> 31, -((-nudged) >> 31))  # C division truncates
    return np.minimum(high, INT32_MAX)


def rounding_divide_by_pot(x: ArrayLike, exponent: ArrayLike) -> Ints:
    """round(x / 2^exponent), halves away from zero."""
    x, exponent = ints(x), ints(exponent)
    mask = (np.int64(1) << exponent) - 1
    threshold = (mask >> 1) + (x < 0)
    return (x >> exponent) + ((x & mask) > threshold)


def multiply_double_rounding(x: ArrayLike, multiplier: ArrayLike, shift: ArrayLike) -> Ints:
    """x * multiplier * 2^(shift-31), rounded twice (TFLite's default, TFLite Micro, CMSIS-NN)."""
    shift = ints(shift)
    left, right = np.maximum(shift, 0), np.maximum(-shift, 0)
    shifted = wrap32(ints(x) << left)
    return rounding_divide_by_pot(saturating_rounding_doubling_high_mul(shifted, multiplier), right)


def multiply_single_rounding(x: ArrayLike, multiplier: ArrayLike, shift: ArrayLike) -> Ints:
    """x * multiplier * 2^(shift-31), rounded once, halves up (newer LiteRT)."""
    total = 31 - ints(shift)
    return (ints(x) * ints(multiplier) + (np.int64(1) << (total - 1))) >> total


def wrap32(x: ArrayLike) -> Ints:
    """Two's complement wrap to 32 bits, as C's int32 does in practice."""
    return ((ints(x) + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)


def quantize_multiplier(real: float) -> tuple[int, int]:
    """(m, shift) with real ~= m * 2^(shift-31), m a 31-bit integer (0 for real = 0)."""
    if real == 0.0 or not math.isfinite(real):
        return 0, 0
    fraction, shift = math.frexp(real)
    m = round_half_away(fraction * (1 << 31))
    if m == 1 << 31:
        m, shift = m // 2, shift + 1
    if shift < -31:
        return 0, 0
    if shift > 30:
        return INT32_MAX, 30
    return m, shift


def quantize_multipliers(reals: ArrayLike) -> tuple[Ints, Ints]:
    """`quantize_multiplier` of each."""
    pairs = [quantize_multiplier(float(r)) for r in np.asarray(reals, dtype=np.float64).ravel()]
    return ints([m for m, _ in pairs]), ints([s for _, s in pairs])


def round_half_away(value: float) -> int:
    """C's round(): halves away from zero."""
    return math.floor(abs(value) + 0.5) * (1 if value >= 0 else -1)


def requantize_float32(x: ArrayLike, scale: ArrayLike, zero_point: int) -> Ints:
    """rint(float32(x) * float32 scale) + zero_point: onnxruntime's rule, halves to even, not clamped."""
    product = ints(x).astype(np.float32) * np.asarray(scale, dtype=np.float32)
    return np.rint(product).astype(np.int64) + zero_point
