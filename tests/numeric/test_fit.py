"""The linear fit against brute force: every input of small staircases, every step of TFLite-like ones."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwgen.numeric.fit import Weights, fit_linear, varying_bits, weigh
from hwgen.numeric.linear import LinearFit, is_exact
from hwgen.numeric.rounding import (
    multiply_double_rounding,
    multiply_single_rounding,
    quantize_multipliers,
    requantize_float32,
)
from hwgen.numeric.staircase import Staircase, from_function


def requantise(scales, zero_point, lo, hi, reach, bias, rule=multiply_double_rounding) -> Staircase:
    """What a TFLite layer with these scales and biases makes of its raw accumulators."""
    multiplier, shift = quantize_multipliers(scales)
    bias = np.asarray(bias, dtype=np.int64)

    def f(x):
        return np.clip(rule(x + bias[:, None], multiplier[:, None], shift[:, None]) + zero_point, lo, hi)

    rows = len(scales)
    return from_function(f, np.full(rows, -reach), np.full(rows, reach))


def everywhere(stair: Staircase, fit: LinearFit) -> bool:
    """Brute force: every reachable input of every row."""
    return all(
        np.array_equal(fit.row(r, x), stair.row(r, x))
        for r in range(stair.rows)
        for x in [np.arange(stair.lo[r], stair.hi[r] + 1)]
    )


def random_scales(rng: np.random.Generator, rows: int, low: float, high: float) -> np.ndarray:
    return 2.0 ** rng.uniform(low, high, rows)


@pytest.mark.parametrize("rule", [multiply_double_rounding, multiply_single_rounding])
@pytest.mark.parametrize("zero_point", [-128, 4, -17])
@pytest.mark.parametrize("hint", [False, True])
def test_tflite_rounding_has_a_narrow_line(rule, zero_point, hint):
    rng = np.random.default_rng(zero_point + 200)
    bias = rng.integers(-20000, 20000, 24)
    stair = requantise(random_scales(rng, 24, -9, -7), zero_point, -128, 127, 1 << 18, bias, rule)
    fit = fit_linear(stair, -bias if hint else None, Weights(table=4))
    assert fit is not None and is_exact(stair, fit)
    assert everywhere(stair, fit)
    assert int(fit.multiplier.max()).bit_length() <= 27
    assert weigh(fit, Weights(table=4)) < 500


def test_rounding_away_from_zero_needs_and_gets_the_mirror():
    rng = np.random.default_rng(5)
    bias = rng.integers(-20000, 20000, 8)
    stair = requantise(random_scales(rng, 8, -9, -8), 3, -128, 127, 1 << 18, bias)
    fit = fit_linear(stair)
    assert fit is not None and fit.middle == 131
    assert np.array_equal(fit.centre, bias)
    assert np.all(fit.offset != fit.below)


def test_saturated_operand_is_as_wide_as_the_steps_only():
    stair = requantise(np.full(3, 2.0**-6 * 1.3), -128, -128, 127, 1 << 22, [0, 5000, -7])
    fit = fit_linear(stair)
    assert fit is not None and everywhere_near_steps(stair, fit)
    assert fit.operand.width <= 15 < fit.x.width


def everywhere_near_steps(stair: Staircase, fit: LinearFit) -> bool:
    reach = np.arange(-3, 4)
    for r in range(stair.rows):
        x = np.clip((stair.steps[r][:, None] + reach).ravel(), stair.lo[r], stair.hi[r])
        x = np.concatenate([x, np.arange(stair.lo[r], stair.hi[r], 997)])
        if not np.array_equal(fit.row(r, x), stair.row(r, x)):
            return False
    return True


def test_per_tensor_scale_gives_one_multiplier():
    bias = np.arange(12) * 1000 - 5000
    fit = fit_linear(requantise(np.full(12, 0.0041), 14, -128, 127, 1 << 17, bias), weights=Weights(table=4))
    assert fit is not None and varying_bits(fit.multiplier) == 0 and varying_bits(fit.offset) == 0


def test_half_to_even_is_a_finer_line_and_a_table():
    """Ties of a power-of-two scale alternate: no line follows them, but one to every quarter does."""
    stair = from_function(lambda x: requantize_float32(x, 0.25, 0), np.array([-400]), np.array([400]))
    fit = fit_linear(stair)
    assert fit is not None and fit.table is not None and everywhere(stair, fit)


def test_irregular_steps_have_no_line():
    steps = np.array([[-3001, -2907, -170, -169, 440, 441, 442, 1703, 2604]])
    stair = Staircase(steps, np.array([0]), np.array([1]), np.array([-4000]), np.array([4000]))
    assert fit_linear(stair) is None


@st.composite
def staircases(draw):
    rows = draw(st.integers(1, 4))
    count = draw(st.integers(1, 9))
    lo = np.array(draw(st.lists(st.integers(-300, 50), min_size=rows, max_size=rows)), dtype=np.int64)
    hi = lo + np.array(draw(st.lists(st.integers(0, 400), min_size=rows, max_size=rows)), dtype=np.int64)
    sign = np.array(draw(st.lists(st.sampled_from([-1, 1]), min_size=rows, max_size=rows)), dtype=np.int64)
    slope = draw(st.lists(st.floats(0.02, 3), min_size=rows, max_size=rows))
    base = np.array(draw(st.lists(st.integers(-9, 9), min_size=rows, max_size=rows)), dtype=np.int64)
    jitter = draw(st.integers(0, 2))
    steps = []
    for r in range(rows):
        first = draw(st.integers(-400, 500))
        noise = draw(st.lists(st.integers(0, jitter), min_size=count, max_size=count))
        row = np.sort((first + np.arange(count) / slope[r]).astype(np.int64) + noise)
        steps.append(np.clip(row, lo[r] + 1, hi[r] + 1))
    return Staircase(np.stack(steps), base, sign, lo, hi)


@settings(max_examples=120, deadline=None)
@given(staircases())
def test_a_fit_is_exact_for_every_input(stair):
    fit = fit_linear(stair)
    if fit is not None:
        assert is_exact(stair, fit)
        assert everywhere(stair, fit)


@settings(max_examples=60, deadline=None)
@given(
    staircases(), st.sampled_from(["multiplier", "offset", "below", "centre"]), st.sampled_from([-1, 1, 64])
)
def test_the_check_sees_what_brute_force_sees(stair, field, change):
    """Change one number of a good fit: the check by steps must agree with all inputs."""
    fit = fit_linear(stair)
    if fit is None:
        return
    changed = getattr(fit, field).copy()
    changed[0] += change
    if field == "multiplier":
        changed = np.maximum(changed, 0)
    other = dataclasses.replace(fit, **{field: changed})
    if np.any(other.below > other.offset):
        return  # not monotone at d = 0: outside the form
    assert is_exact(stair, other) == everywhere(stair, other)


def test_one_step_constant_and_dead_rows():
    lo, hi = np.full(5, -(1 << 20)), np.full(5, 1 << 20)
    never = (1 << 20) + 1
    steps = np.array([[0, 0, never], [never] * 3, [-70000, 500, 501], [never] * 3, [1 << 20, never, never]])
    base = np.array([0, 3, 0, 0, 0])
    stair = Staircase(steps, base, np.ones(5, dtype=np.int64), lo, hi)
    fit = fit_linear(stair)
    if fit is not None:
        assert is_exact(stair, fit)
    alone = Staircase(steps[[1, 3]], base[[1, 3]], np.ones(2, dtype=np.int64), lo[:2], hi[:2])
    constant = fit_linear(alone)
    assert constant is not None and everywhere_near_steps(alone, constant)


@pytest.mark.parametrize(
    ("steps", "base", "lo", "hi"),
    [
        ([[1, 1, 1, 1, 2, 2, 3], [1] * 7], [0, -1], [0, 0], [3, 0]),  # a constant that no table entry gives
        ([[1, 1], [-1, -1], [1, 2]], [0, 0, 0], [0, -2, 0], [0, -1, 1]),  # all steps of a row at one input
    ],
)
def test_corners_that_hypothesis_found(steps, base, lo, hi):
    sign = -np.ones(len(base), dtype=np.int64)
    stair = Staircase(np.array(steps), np.array(base), sign, np.array(lo), np.array(hi))
    fit = fit_linear(stair)
    assert fit is None or everywhere(stair, fit)


def test_dead_channels_with_huge_biases():
    """VWW has channels whose bias saturates; they must not widen the multiplier's operand."""
    bias = np.array([100, 1 << 28, -(1 << 28), -3000])
    fit = fit_linear(requantise([2**-7.5, 2**-8.2, 2**-8.1, 2**-7.9], -128, -128, 127, 1 << 19, bias))
    assert fit is not None and fit.operand.width <= 18


def test_pooling_rows():
    """Average pooling at the image's border: rows for 4, 6 and 9 pixels, halves away from zero."""
    counts = np.array([4, 6, 9])[:, None]

    def mean(x):
        return np.where(x >= 0, (x + counts // 2) // counts, -((-x + counts // 2) // counts))

    lo, hi = np.full(3, -128) * counts[:, 0], np.full(3, 127) * counts[:, 0]
    stair = from_function(mean, lo, hi, np.array([[0, 1, 0], [1, 2, 1], [0, 1, 0]]))
    fit = fit_linear(stair)
    assert fit is not None and everywhere(stair, fit)
    assert weigh(fit, Weights()) < 200


def test_a_single_large_step():
    """Sign activation: x >= t, per channel."""
    stair = Staircase(
        np.array([[5], [-9], [300]]),
        np.zeros(3, np.int64),
        np.ones(3, np.int64),
        np.full(3, -500),
        np.full(3, 500),
    )
    fit = fit_linear(stair)
    assert fit is not None and everywhere(stair, fit)
