"""onnxruntime's float32 arithmetic around quantised integers, rounding by rounding.

Sources (ORT 1.20 to 1.31, CPU; measured equal on every case in tests/layers/test_requantize_onnx.py):
QuantizeLinear and requantisation in MLAS quantize.cpp, QLinearAdd in qladd.cpp and its AVX2 kernel,
global pooling in qlgavgpool.cpp, average pooling in qlinear_pool.cc, batch_norm.h.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints, ints
from hwgen.numeric.staircase import Staircase, from_function

Floats = NDArray[np.float32]
Reals = NDArray[np.floating]
Chain = Callable[[Ints], Reals]
"""Integers to reals: float32 where the runtime's every rounding is known, else float64."""

LIMITS = {"int8": Range(-128, 127), "uint8": Range(0, 255)}
"""Types of activations and what they hold."""


@dataclass(frozen=True)
class Scheme:
    """real = scale * (q - zero_point), q of type dtype; scale is a float32 value."""

    scale: float
    zero_point: int
    dtype: str

    @property
    def limits(self) -> Range:
        """What q holds."""
        return LIMITS[self.dtype]


def dequantize(q: ArrayLike, scheme: Scheme) -> Floats:
    """DequantizeLinear: float32(q - zero_point) * scale."""
    return (ints(q) - scheme.zero_point).astype(np.float32) * np.float32(scheme.scale)


def quantize(x: Reals, scheme: Scheme) -> Ints:
    """QuantizeLinear: rint(clamp(x / scale)) + zero_point, halves to even.

    In float32, as the runtime does; for a float64 x (the exact value of what the runtime rounds in
    ways of its own) in float64."""
    return saturate(x / np.float32(scheme.scale), scheme)


def exact_in_float32(scales: ArrayLike, largest: int) -> bool:
    """Whether sums of integers up to `largest` (in size) times a scale are exact in float32, in any order.

    scales: each the product of all scales in play, e.g. sx*sw. True for powers of two and other scales
    of few bits: then no rounding happens, and the runtime's order of additions cannot matter."""
    mantissa = np.frexp(np.asarray(scales, dtype=np.float64))[0]
    whole = (np.abs(mantissa) * 2.0**53).astype(np.int64).ravel()
    bits = max((53 - ((w & -w).bit_length() - 1) for w in whole.tolist()), default=0)
    return bits + largest.bit_length() <= 24


def saturate(steps: Reals, scheme: Scheme) -> Ints:
    """Scaled values to integers: clamped so that the zero point still fits, rounded half to even."""
    low, high = scheme.limits.lo - scheme.zero_point, scheme.limits.hi - scheme.zero_point
    rounded = np.rint(np.clip(steps, np.float32(low), np.float32(high)))
    # A float that is no number (hostile constants only) must still give an integer in range.
    return np.clip(np.nan_to_num(rounded, nan=low).astype(np.int64), low, high) + scheme.zero_point


def requantize(acc: ArrayLike, scale: ArrayLike, out: Scheme) -> Ints:
    """MlasRequantizeOutput: float32(acc) * scale, clamped, rounded half to even, plus the zero point."""
    return saturate(ints(acc).astype(np.float32) * np.asarray(scale, dtype=np.float32), out)


def linear_scale(x: float, w: Floats, y: float, alpha: float = 1.0) -> Floats:
    """(alpha * x * w) / y in float32: output scale of QLinearConv, QLinearMatMul and QGemm."""
    return np.float32(alpha) * np.float32(x) * w.astype(np.float32) / np.float32(y)


def fma(a: ArrayLike, b: ArrayLike, c: ArrayLike) -> Floats:
    """float32(a*b + c), rounded once up to double's own rounding of the sum.

    The product of two float32 is exact in double; the sum has 53 bits, far below what a
    float32 rounding of values of this size can see."""
    a, b, c = (np.asarray(v, dtype=np.float64) for v in (a, b, c))
    return (a * b + c).astype(np.float32)


def batch_norm(
    scale: Floats, bias: Floats, mean: Floats, var: Floats, epsilon: float
) -> tuple[Floats, Floats]:
    """(m, b) of onnxruntime's y = x*m + b, every step rounded to float32."""
    m = scale * (np.float32(1) / np.sqrt(var + np.float32(epsilon)))
    return m, bias - mean * m


def staircase(chain: Chain, lo: Ints, hi: Ints, out: Scheme, pixel_rows: Ints | None = None) -> Staircase:
    """Exact steps of QuantizeLinear(chain(x)) for x in [lo, hi] (per row); chain is monotone per row."""
    return from_function(lambda x: quantize(chain(x), out), lo, hi, pixel_rows)


def value_table(values: Ints, lo: int) -> Staircase:
    """The monotone function x -> values[x - lo] as a staircase of one row."""
    size = len(values)

    def look_up(x: Ints) -> Ints:
        return values[np.clip(x - lo, 0, size - 1)]

    return from_function(look_up, ints([lo]), ints([lo + size - 1]))
