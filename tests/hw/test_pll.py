"""PLL dividers against the data sheet's limits and a brute-force search."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from hwgen.hw import pll
from hwgen.support.errors import UsageError

MHZ = 1_000_000


def _check(found: pll.PllSettings) -> None:
    assert 1 <= found.clki_div <= 128 and 1 <= found.clkfb_div <= 80
    assert 1 <= found.clkop_div <= 128 and 1 <= found.clkos_div <= 128
    assert 10 * MHZ <= found.pfd_hz <= 400 * MHZ
    assert 400 * MHZ <= found.vco_hz <= 800 * MHZ
    assert found.vco_hz / found.clkop_div <= 400 * MHZ
    assert found.output_hz == Fraction(found.input_hz, found.clki_div) * found.clkfb_div * found.clkop_div / (
        found.clkos_div
    )


@pytest.mark.parametrize("mhz", [25, 50, 100, 125, 150, 160, 200, 400])
def test_round_frequencies_are_exact(mhz):
    found = pll.settings(25 * MHZ, mhz * MHZ)
    _check(found)
    assert found.output_hz == mhz * MHZ


def test_nearest_not_above():
    """Every reachable frequency from 25 MHz is VCO / CLKOS_DIV with the VCO a multiple of 25/2 or 25 MHz."""
    vcos = [Fraction(25 * MHZ, 2) * k for k in range(32, 65)]
    reachable = sorted({vco / div for vco in vcos for div in range(1, 129)})
    generator = random.Random(1)
    for _ in range(30):
        wanted = generator.uniform(3.2, 399) * MHZ
        found = pll.settings(25 * MHZ, wanted)
        _check(found)
        assert found.output_hz == max(f for f in reachable if f <= wanted)
        assert wanted / float(found.output_hz) < 1.034  # the grid is coarsest near 400 MHz


@pytest.mark.parametrize("input_mhz", [8, 12, 48, 100])
def test_other_oscillators(input_mhz):
    if input_mhz < 10:
        with pytest.raises(UsageError, match="no dividers"):
            pll.settings(input_mhz * MHZ, 100 * MHZ)
        return
    found = pll.settings(input_mhz * MHZ, 100 * MHZ)
    _check(found)
    assert 98 * MHZ < found.output_hz <= 100 * MHZ


@pytest.mark.parametrize(("source", "wanted"), [(25, 401), (25, 3), (25, 0), (1, 100), (25, -5), (500, 100)])
def test_out_of_range(source, wanted):
    with pytest.raises(UsageError, match=r"PLL: (input|output) clock of .* MHz is outside"):
        pll.settings(source * MHZ, wanted * MHZ)
