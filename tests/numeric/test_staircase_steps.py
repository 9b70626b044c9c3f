"""Staircases against the functions they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from hwgen.numeric.ranges import Range
from hwgen.numeric.staircase import Staircase, from_function, from_thresholds

LEVELS = {
    "1 bit": [0, 1],
    "2 bits": [0, 1, 2, 3],
    "log2": [0, 1, 2, 4, 8],
    "bipolar": [-1, 1],
    "irregular": [-7, -2, 0, 0, 3, 30],
}


def every_row(stair: Staircase, x: np.ndarray) -> np.ndarray:
    return np.stack([stair.row(r, x) for r in range(stair.rows)])


@pytest.mark.parametrize("levels", LEVELS.values(), ids=LEVELS)
@pytest.mark.parametrize("seed", range(4))
def test_thresholds_rising_falling_and_out_of_reach(levels, seed):
    rng = np.random.default_rng(seed)
    rows, n = 9, len(levels) - 1
    thresholds = np.sort(rng.integers(-60, 60, (rows, n)), axis=1)  # some beyond what x can reach
    values = np.where(rng.random((rows, 1)) < 0.5, levels, levels[::-1])
    stair = from_thresholds(thresholds, values, np.full(rows, -40), np.full(rows, 45))
    x = np.arange(-40, 46)
    count = np.sum(x[None, :, None] >= thresholds[:, None, :], axis=2)
    wanted = np.take_along_axis(values, count, axis=1)
    assert np.array_equal(every_row(stair, x), wanted)
    assert stair.range == Range.of(wanted.ravel())
    assert np.all(stair.steps > -40) and np.all(stair.steps <= 46)


def test_batch_norm_with_negative_gamma_turns_the_step():
    """sign(gamma * (x - mean) / sigma + beta) as {0, 1}: rising where gamma > 0, falling where gamma < 0."""
    gamma, beta = np.array([0.5, -0.5, -2.0, 0.0, 0.0]), np.array([1.0, 1.0, -3.0, 0.25, -0.25])
    mean, sigma = np.array([3.0, 3.0, -7.5, 0.0, 0.0]), np.array([2.0, 2.0, 0.7, 1.0, 1.0])

    def f(x):
        return (gamma[:, None] * (x - mean[:, None]) / sigma[:, None] + beta[:, None] >= 0).astype(np.int64)

    stair = from_function(f, np.full(5, -50), np.full(5, 50))
    x = np.arange(-50, 51)
    assert np.array_equal(every_row(stair, x), f(x[None, :]))
    assert list(stair.sign[:3]) == [1, -1, -1]
    assert list(stair.steps[:3, 0]) == [-1, 8, -8]  # the first input with the new value
    assert list(stair.base[3:]) == [1, 0] and np.all(stair.steps[3:] == 51)


def test_hwgq_and_log2_quantisers():
    """Half-wave Gaussian quantiser (uniform levels) and powers of two, on a scale that is no power of two."""
    x = np.arange(-300, 301)
    for levels, step in ((np.arange(4), 0.538), (np.array([0, 1, 2, 4, 8]), 0.291)):

        def quantised(z, levels=levels, step=step):
            return levels[np.argmin(np.abs(z[..., None] * 0.013 - levels * step), axis=-1)]

        stair = from_function(lambda z, q=quantised: q(z), np.array([-300]), np.array([300]))
        assert np.array_equal(stair.row(0, x), quantised(x)) and set(stair.row(0, x)) == set(levels)


def test_thresholds_must_be_monotone():
    with pytest.raises(ValueError, match="not both"):
        from_thresholds(np.array([[1, 2]]), np.array([0, 1, 0]), np.array([0]), np.array([9]))


def test_bias_and_second_staircase_fold_into_one():
    rng = np.random.default_rng(5)
    inner = from_thresholds(
        np.sort(rng.integers(-30, 30, (4, 7)), axis=1),
        np.where(np.arange(4)[:, None] % 2, np.arange(7, -1, -1), np.arange(8)),
        np.full(4, -40),
        np.full(4, 40),
    )
    outer = from_thresholds(
        np.array([[2, 5]]), np.array([3, 1, 0]), np.zeros(1, dtype=np.int64), np.array([7])
    )
    x = np.arange(-40, 41)
    assert np.array_equal(every_row(inner.then(outer), x), outer.row(0, every_row(inner, x)))
    bias = np.array([3, -4, 0, 9])
    z = np.arange(-31, 31)
    shifted = inner.shifted(bias)
    for r in range(4):
        assert np.array_equal(shifted.row(r, z), inner.row(r, z + bias[r]))
