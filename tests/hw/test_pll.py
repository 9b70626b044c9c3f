"""PLL dividers against the data sheet's limits and a brute-force search."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from amaranth.sim import Simulator

from hwgen.hw.pll import ecp5 as pll
from hwgen.hw.pll import ice40, output_hz, output_limits
from hwgen.hw.pll import pll as make
from hwgen.support.errors import UsageError

MHZ = 1_000_000


def _check(found: pll.Settings) -> None:
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


def _check_ice40(found: ice40.Settings) -> None:
    assert 0 <= found.divr <= 15 and 0 <= found.divf <= 127 and 1 <= found.divq <= 6
    assert 10 * MHZ <= found.pfd_hz <= 133 * MHZ
    assert 533 * MHZ <= found.vco_hz <= 1066 * MHZ
    assert 16 * MHZ <= found.output_hz <= 275 * MHZ


@pytest.mark.parametrize(
    # what icepll (0.11) answers for these
    ("source", "wanted", "divr", "divf", "divq", "filter_range"),
    [
        (12, 24, 0, 63, 5, 1), (12, 48, 0, 63, 4, 1), (12, 60, 0, 79, 4, 1), (16, 48, 0, 47, 4, 1),
        (100, 50, 0, 7, 4, 5), (48, 24, 0, 15, 5, 4),
    ],
)  # fmt: skip
def test_ice40_dividers(source, wanted, divr, divf, divq, filter_range):
    found = ice40.settings(source * MHZ, wanted * MHZ)
    _check_ice40(found)
    assert found.output_hz == wanted * MHZ
    same = ice40.Settings(divr, divf, divq, source * MHZ)
    assert same.output_hz == found.output_hz and same.filter_range == filter_range
    assert found.pfd_hz >= same.pfd_hz and (found.pfd_hz > same.pfd_hz or found.vco_hz >= same.vco_hz)


def test_ice40_nearest_not_above():
    reachable = sorted(
        vco / 2**q for vco in range(540, 1067, 12) for q in range(1, 7) if 16 <= vco / 2**q <= 275
    )
    generator = random.Random(2)
    for _ in range(30):
        wanted = generator.uniform(17, 274)
        found = ice40.settings(12 * MHZ, wanted * MHZ)
        _check_ice40(found)
        assert found.output_hz == max(f for f in reachable if f <= wanted) * MHZ


@pytest.mark.parametrize(("source", "wanted"), [(12, 276), (12, 15), (8, 48), (200, 48)])
def test_ice40_out_of_range(source, wanted):
    with pytest.raises(UsageError, match=r"PLL: (input|output) clock of .* MHz is outside"):
        ice40.settings(source * MHZ, wanted * MHZ)


def test_unknown_family():
    for ask in (lambda: make("max10", 12 * MHZ, 48 * MHZ), lambda: output_limits("max10")):
        with pytest.raises(UsageError, match="no PLL for the family 'max10'"):
            ask()


@pytest.mark.parametrize("family", ["ecp5", "ice40", "ice40up"])
def test_output_is_known_without_the_component(family):
    low, high = output_limits(family)
    for wanted in (low * 1.1, 41_234_567.8, high):
        assert output_hz(family, 12 * MHZ, wanted) == make(family, 12 * MHZ, wanted).output_hz
    with pytest.raises(UsageError, match="outside"):
        output_hz(family, 12 * MHZ, high + 1)


def test_ice40_clock_starts_late_and_whole():
    """The gate opens `wait` clocks after the lock, closes after its loss, and moves at low clock only."""
    dut = ice40.Start(wait=5)
    seen: list[tuple[int, int]] = []  # (half clock, enable)

    async def script(ctx):
        for half in range(120):
            ctx.set(dut.lock, 20 <= half < 24 or 40 <= half < 80)
            ctx.set(dut.raw, half % 2)
            await ctx.delay(1e-8)
            if ctx.get(dut.enable) != (seen[-1][1] if seen else 0):
                seen.append((half, ctx.get(dut.enable)))

    simulator = Simulator(dut)
    simulator.add_testbench(script)
    simulator.run()
    assert [enable for _, enable in seen] == [1, 0]  # the short lock was too short
    (opened, _), (closed, _) = seen
    assert opened % 2 == closed % 2 == 0, "a pulse was cut"
    assert 40 + 2 * 5 <= opened <= 40 + 2 * 9 and 80 <= closed <= 88
