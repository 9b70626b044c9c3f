"""Requantisation at its limits, against Python integers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from engine_cases import SMALL, expected

from hwgen.program.arithmetic import Requantiser, wrapped
from hwgen.program.image import parameters
from hwgen.program.instructions import Run

RUN = Run(x=0, n0_count=1, n0_delta=0, w=0, o=0, d0_count=1, d0_delta=0)


@pytest.mark.parametrize("twice", [True, False])
@pytest.mark.parametrize("away", [True, False])
@pytest.mark.parametrize("shift", [0, 1, 2, 5, 14, 31])
def test_requantised(twice, away, shift):
    array = dataclasses.replace(SMALL, columns=4)
    run = dataclasses.replace(RUN, twice=twice, away=away, zero=5)
    multiplier = [(1 << 28) - 1, 1 << 27, 3 << 26, 0b1011 << 24]
    bias = [0, -(1 << 27), (1 << 27) - 1, -3]
    words = np.frombuffer(parameters(multiplier, [shift] * 4, bias, 4), dtype=np.int8).reshape(8, 4)
    requantiser = Requantiser.of(words, array)
    assert list(requantiser.multiplier) == multiplier and list(requantiser.bias) == bias
    rng = np.random.default_rng(shift)
    ranges = [rng.integers(-(1 << bits), 1 << bits, (60, 4)) for bits in (4, shift % 20 + 4, 22, 23)]
    acc = np.concatenate([*ranges, np.arange(-20, 20)[:, None] + np.zeros(4, dtype=np.int64)])
    near = acc - np.array(bias)  # biased sums near nought, too
    for values in (acc, near):
        wanted = expected(values, multiplier, [shift] * 4, bias, run, array)
        assert np.array_equal(requantiser(values, run, array), wanted)


def test_the_roundings_differ_where_they_should():
    """A half below nought, away from it and up; a product that the first rounding lifts over a half."""
    words = np.frombuffer(parameters([1 << 27] * 4, [1] * 4, [0] * 4, 4), dtype=np.int8).reshape(8, 4)
    requantiser = Requantiser.of(words, SMALL)
    acc = np.array([[-2, 2, -6, 1]])  # q = -1, 1, -3, 1 (0 when cut off)
    assert list(requantiser(acc, RUN, SMALL)[0]) == [-1, 1, -2, 1]
    assert list(requantiser(acc, dataclasses.replace(RUN, away=False), SMALL)[0]) == [0, 1, -1, 1]
    assert list(requantiser(acc, dataclasses.replace(RUN, twice=False), SMALL)[0]) == [-1, 1, -2, 0]


def test_limits_are_those_of_the_operand():
    """With a multiplier of one half, shift 14: the clipped sum itself is to be seen."""
    array = dataclasses.replace(SMALL, operand=9)
    words = np.frombuffer(parameters([1 << 27] * 4, [0] * 4, [0] * 4, 4), dtype=np.int8).reshape(8, 4)
    run = dataclasses.replace(RUN, twice=False)
    acc = np.array([[-300, 300, -256, 255]])
    assert list(Requantiser.of(words, array)(acc, run, array)[0]) == [-128, 127, -128, 127]
    narrow = dataclasses.replace(SMALL, operand=7)
    assert list(Requantiser.of(words, narrow)(acc, run, narrow)[0]) == [-32, 31, -32, 31]


def test_wrapped():
    assert list(wrapped(np.array([127, 128, 255, 256, -129]), 8)) == [127, -128, -1, 0, 127]
