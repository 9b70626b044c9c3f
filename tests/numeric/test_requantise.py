"""The systolic engine's requantisation equals staircases at every input, or says that it does not."""

from __future__ import annotations

import numpy as np
import pytest

from hwgen.numeric.requantise import Form, fit_requantised, is_exact
from hwgen.numeric.rounding import (
    Ints,
    multiply_double_rounding,
    multiply_single_rounding,
    quantize_multipliers,
    requantize_float32,
)
from hwgen.numeric.staircase import Staircase, from_function


def stair(rule: str, rows: int, span: int, zero: int, low: int, seed: int) -> Staircase:
    rng = np.random.default_rng(seed)
    lo, hi = -rng.integers(span // 4, span, rows), rng.integers(span // 4, span, rows)
    scale = rng.uniform(60, 600, rows) / (hi - lo)
    m, shift = (each[:, None] for each in quantize_multipliers(scale))

    def f(x: Ints) -> Ints:
        if rule == "float":
            return np.clip(requantize_float32(x, scale[:, None], zero), low, 127)
        multiply = multiply_double_rounding if rule == "double" else multiply_single_rounding
        return np.clip(multiply(x, m, shift) + zero, low, 127)

    return from_function(f, lo, hi)


@pytest.mark.parametrize("rule", ["double", "single", "float"])
@pytest.mark.parametrize("span", [3000, 40_000])
@pytest.mark.parametrize(("zero", "low"), [(-128, -128), (5, -128), (-20, -20)])
def test_runtimes_rules_are_exact_at_every_input(rule: str, span: int, zero: int, low: int) -> None:
    act = stair(rule, 12, span, zero, low, span + zero)
    fit = fit_requantised(act, Form())
    assert not fit.unfit
    for row in range(act.rows):
        x = np.arange(act.lo[row], act.hi[row] + 1)
        np.testing.assert_array_equal(fit.on(x[None, :], np.array([row]))[0], act.row(row, x))


def one(steps: list[int], base: int, lo: int, hi: int, sign: int = 1) -> tuple[Ints, ...]:
    filled = steps + [hi + 1] * (3 - len(steps))
    return np.array([filled]), *(np.array([value]) for value in (base, sign, lo, hi))


@pytest.mark.parametrize(
    ("steps", "base", "lo", "hi"),
    [
        ([], -128, -500, 900),
        ([], 17, -500, 900),
        ([], -3, 1 << 24, (1 << 24) + 1000),
        ([(1 << 24) + 5], -128, 1 << 24, (1 << 24) + 100_000),
        ([3_000_000], -128, 2_900_000, 3_100_000),
        ([3_000_000, 3_020_000], -128, 2_990_000, 3_025_000),
    ],
)
def test_rows_without_steps_or_with_steps_far_away_move_their_bias(
    steps: list[int], base: int, lo: int, hi: int
) -> None:
    ordinary = stair("double", 1, 3000, -128, -128, 1)
    parts = one(steps, base, lo, hi)
    width = ordinary.steps.shape[1]
    far = np.full((1, width), hi + 1)
    far[0, : len(steps)] = steps
    act = Staircase(
        np.concatenate([ordinary.steps, far]),
        *(np.concatenate([a, b]) for a, b in zip(
            (ordinary.base, ordinary.sign, ordinary.lo, ordinary.hi), parts[1:], strict=True
        )),
    )  # fmt: skip
    fit = fit_requantised(act, Form())
    assert not fit.unfit
    x = np.unique(np.clip(np.array([lo, hi, *steps, *(s - 1 for s in steps), (lo + hi) // 2]), lo, hi))
    np.testing.assert_array_equal(fit.on(x[None, :], np.array([1]))[0], act.row(1, x))
    assert int(np.abs(fit.bias).max()) < 1 << 27


def test_the_layers_own_bias_counts() -> None:
    act = stair("double", 2, 3000, -128, -128, 3)
    assert not fit_requantised(act, Form(), np.array([0, (1 << 27) - 1])).unfit
    assert fit_requantised(act, Form(), np.array([0, 1 << 27])).unfit == (1,)


def test_steep_rows_need_a_gain() -> None:
    act = from_function(lambda x: np.clip(3 * x // 2, -128, 127), np.array([-80]), np.array([80]))
    assert fit_requantised(act, Form()).unfit == (0,)
    fit = fit_requantised(act, Form(), gain=4)
    x = np.arange(-80, 81)
    assert not fit.unfit
    np.testing.assert_array_equal(fit.on(x[None, :])[0], act.row(0, x))


def test_uneven_and_falling_rows_are_named() -> None:
    uneven = Staircase(*one([10, 11, 300], 0, -400, 400))
    falling = Staircase(*one([10, 100], 0, -400, 400, sign=-1))
    assert fit_requantised(uneven, Form()).unfit == (0,)
    assert fit_requantised(falling, Form()).unfit == (0,)


def test_is_exact_sees_one_wrong_step() -> None:
    act = stair("double", 1, 3000, 0, -128, 9)
    fit = fit_requantised(act, Form())
    assert is_exact(act, fit, 0)
    moved = Staircase(act.steps.copy(), act.base, act.sign, act.lo, act.hi)
    moved.steps[0, 5] += 1
    assert not is_exact(moved, fit, 0)
