"""int2..int8 weights times 1 to 8-bit activations in every form of plain integers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from levels import weights_of
from reducerbench import mvu_groups
from test_mvu import check, mixed

from hwgen.hw.mvu import MVU
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5, GENERIC
from hwgen.weights.code import CODES, FORMS

NAMES = [form.name for form in CODES["intk"].forms if form.name != "generic"]


@pytest.mark.parametrize("form", NAMES)
def test_products_of_small_widths(form: str) -> None:
    """All weights, 1 to 3 bits, signed or not, times 24 of the pairs of such activations."""
    ranges = [Range.bits(width, signed) for width in (1, 2, 3) for signed in (False, True)]
    for weight, value in itertools.product(ranges, ranges):
        levels = tuple(range(weight.lo, weight.hi + 1))
        if not FORMS[form].suits(levels, value, 2, 2, ECP5):
            continue
        weights = np.stack([np.array(levels), np.roll(levels, 1)], axis=1)
        x = np.array(list(itertools.product(range(value.lo, value.hi + 1), repeat=2)))
        dut = MVU(weights, simd=2, pe=2, value=value, form=FORMS[form], target=GENERIC)
        check(dut, mvu_groups(dut, x[np.random.default_rng(2).permutation(len(x))[:24]]),
              np.random.default_rng(1))  # fmt: skip


@pytest.mark.parametrize("form", NAMES)
@pytest.mark.parametrize("bits", [2, 4, 5, 8])
def test_mixed_widths(form: str, bits: int) -> None:
    rng = np.random.default_rng(bits)
    levels = tuple(range(-(1 << (bits - 1)), 1 << (bits - 1)))
    for value in (Range.bits(1, False), Range.bits(3, False), Range.bits(8, False), Range.bits(6)):
        if FORMS[form].suits(levels, value, 4, 2, ECP5):
            weights = weights_of(levels, (2, 8), rng)
            dut = MVU(weights, simd=4, pe=2, value=value, form=FORMS[form], target=GENERIC)
            check(dut, mvu_groups(dut, mixed(rng, value, (2, 8))), rng)


def test_two_int4_products_in_one_multiplier_need_no_correction() -> None:
    """Their low product lies clear of the high one: no bits of x * w are computed again."""
    form = FORMS["dsp2"]
    every = np.arange(-8, 8)[None, :, None].repeat(2, axis=0)
    made = form(every, value=Range(-128, 127), target=ECP5)
    assert made.overlap == 0 and made.latency == 3  # type: ignore[attr-defined]


def test_a_borrow_may_add_to_the_largest_sum_of_other_lanes() -> None:
    """The adder that takes a lane's carry may hold other lanes' sum, which is one wider then."""
    weights = np.array([[0, 0, -1, -1], [1, 0, 0, 0]])
    dut = MVU(weights, simd=4, pe=2, value=Range(0, 7), form=FORMS["dsp2"], target=GENERIC)
    x = np.array([[7, 0, 1, 1], [7, 7, 7, 7], [0, 0, 0, 7]])
    check(dut, mvu_groups(dut, x), np.random.default_rng(1))
