"""Narrow additions against their tables, on all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwgen.numeric.fit_add import fit_add
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import multiply_double_rounding, quantize_multiplier
from hwgen.numeric.staircase import Staircase, from_function

INT8 = Range(-128, 127)


def tflite_add(scales, zeros, a=INT8, b=INT8, clamp=INT8):
    """(tables, offsets, act) as TFLite adds two int8 tensors; scales and zero points of a, b and output."""
    twice = 2 * max(scales[:2])
    tables = []
    for scale, zero, values in zip(scales, zeros, (a, b)):
        multiplier, shift = quantize_multiplier(scale / twice)
        x = np.arange(values.lo, values.hi + 1)
        tables.append(multiply_double_rounding((x - zero) << 20, multiplier, shift))
    multiplier, shift = quantize_multiplier(twice / ((1 << 20) * scales[2]))
    lo, hi = (sum(int(t[end]) for t in tables) for end in (0, -1))

    def f(x):
        return np.clip(multiply_double_rounding(x, multiplier, shift) + zeros[2], clamp.lo, clamp.hi)

    return tuple(tables), (a.lo, b.lo), from_function(f, np.array([lo]), np.array([hi]))


def exact(tables, offsets, act, a, b, fit) -> bool:
    x, y = np.meshgrid(np.arange(a.lo, a.hi + 1), np.arange(b.lo, b.hi + 1), indexing="ij")
    return np.array_equal(fit(x, y), act.row(0, tables[0][x - offsets[0]] + tables[1][y - offsets[1]]))


@pytest.mark.parametrize("seed", range(8))
def test_tflite_add_becomes_two_factors_and_a_shift(seed):
    rng = np.random.default_rng(seed)
    scales = 2.0 ** rng.uniform(-6, -4, 3)
    scales[2] = max(scales[2], 1.01 * max(scales[:2]) / 2)
    add = tflite_add(scales, rng.integers(-128, 128, 3))
    fit = fit_add(*add, INT8, INT8)
    assert exact(*add, INT8, INT8, fit)
    assert fit.factors is not None and fit.sum_range.width <= 34
    assert fit.sum_range.width < (Range.of(add[0][0]) + Range.of(add[0][1])).width + 10


def test_ties_away_from_zero_are_mirrored():
    """Equal scales everywhere: (a + b) / 2 has ties on both sides of zero."""
    add = tflite_add((0.05, 0.05, 0.1), (3, -5, 7))
    fit = fit_add(*add, INT8, INT8)
    assert fit.factors is not None and fit.line is not None and fit.line.middle == 7 - fit.line.clamp.lo
    assert exact(*add, INT8, INT8, fit)


def test_equal_scales_need_no_multiplier_at_all():
    add = tflite_add((0.05, 0.05, 0.05), (0, 0, 0))
    fit = fit_add(*add, INT8, INT8)
    assert fit.factors is not None and abs(fit.factors[0]) == abs(fit.factors[1]) <= 4


def test_relu_and_unsigned_inputs():
    a, b = Range(0, 255), Range(-128, 90)
    add = tflite_add((0.03, 0.02, 0.07), (12, -128, -128), a, b, Range(-128, 127))
    assert exact(*add, a, b, fit_add(*add, a, b))


def test_a_part_of_the_tables_is_enough():
    add = tflite_add((0.03, 0.02, 0.07), (0, 0, 0))
    a, b = Range(-5, 100), Range(-128, -128)
    assert exact(*add, a, b, fit_add(*add, a, b))


def test_halves_to_even_keep_tables():
    """rint((a + b) / 2), as ONNX runtimes round: no line, but narrow tables."""
    x = np.arange(-128, 128)
    act = from_function(lambda s: np.rint(s / 2048).astype(np.int64), np.array([-262144]), np.array([260096]))
    add = ((x << 10), (x << 10)), (-128, -128), act
    fit = fit_add(*add, INT8, INT8)
    assert fit.factors is None and fit.sum_range.width <= 9
    assert exact(*add, INT8, INT8, fit)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 40), min_size=2, max_size=12),
    st.lists(st.integers(0, 40), min_size=2, max_size=12),
    st.lists(st.integers(-100, 500), min_size=1, max_size=9),
    st.sampled_from([-1, 1]),
)
def test_any_monotone_tables(ups_a, ups_b, steps, sign):
    ta, tb = np.cumsum(ups_a) - 50, np.cumsum(ups_b) - 30
    lo, hi = np.array([ta[0] + tb[0]]), np.array([ta[-1] + tb[-1]])
    places = np.clip(np.sort(steps), lo[0] + 1, hi[0] + 1)[None, :]
    act = Staircase(places, np.array([3]), np.array([sign]), lo, hi)
    a, b = Range(0, len(ta) - 1), Range(-4, len(tb) - 5)
    add = (ta, tb), (0, -4), act
    assert exact(*add, a, b, fit_add(*add, a, b))
