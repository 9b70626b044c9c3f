"""gemmlowp's fixed-point functions: close to the real function, exact at their special points."""

from __future__ import annotations

import numpy as np
import pytest

from hwgen.numeric import fixedpoint
from hwgen.numeric.fixedpoint import constant, exp_on_negative_values, reciprocal


def test_constants_are_gemmlowps() -> None:
    powers = [constant(float(np.exp(-(2.0**e)))) for e in range(-2, 5)]
    assert powers == [1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242]
    assert (constant(np.exp(-0.125)), constant(48 / 17, 2), constant(-32 / 17, 2)) == (
        1895147668,
        1515870810,
        -1010580540,
    )


@pytest.mark.parametrize("bits", [4, 5, 6])
def test_exp(bits: int) -> None:
    x = -np.random.default_rng(bits).integers(1, 1 << 31, 5000)
    got = exp_on_negative_values(x, bits) / 2.0**31
    np.testing.assert_allclose(got, np.exp(x / 2.0 ** (31 - bits)), atol=2e-7)
    assert exp_on_negative_values(np.array([0]), bits)[0] == fixedpoint.ONE


def test_logistic_and_tanh() -> None:
    x = np.random.default_rng(1).integers(-(1 << 31) + 1, 1 << 31, 5000)
    real = x / 2.0**27
    np.testing.assert_allclose(fixedpoint.logistic(x, 4) / 2.0**31, 1 / (1 + np.exp(-real)), atol=1e-6)
    np.testing.assert_allclose(fixedpoint.tanh(x, 4) / 2.0**31, np.tanh(real), atol=1e-6)
    assert fixedpoint.logistic(np.array([0]), 4)[0] == 1 << 30
    assert fixedpoint.tanh(np.array([0]), 4)[0] == 0


def test_reciprocal() -> None:
    x = np.random.default_rng(2).integers(1, 1 << 31, 5000)
    scale, bits = reciprocal(x, 12)
    np.testing.assert_allclose(scale * 2.0 ** (-31.0 - bits), 1 / (x / 2.0**19), rtol=1e-6)
