"""Which clock is tried next: made by the PLL, served by the UART, no faster than timing allows."""

from __future__ import annotations

import random

import pytest

from hwgen.flow import autoclock
from hwgen.flow import board as boards
from hwgen.flow.autoclock import Trial
from hwgen.hw.link.uart import divisor
from hwgen.hw.pll import output_hz
from hwgen.support.errors import UsageError

UP5K, ECP5 = boards.load("icebreaker"), boards.load("ulx3s-85f")
MHZ = 1e6


@pytest.mark.parametrize("board", [UP5K, ECP5], ids=lambda board: board.name)
@pytest.mark.parametrize("baud", [1e6, 3e6, 921_600])
def test_usable_clocks(board, baud):
    """The highest that the PLL makes, down to one whose UART is within 2 %; never above the limit."""
    generator = random.Random(3)
    skipped = 0
    for _ in range(40):
        limit = generator.uniform(20, 200) * MHZ
        clock = autoclock.usable(board, limit, baud)
        exact = output_hz(board.family, board.clock_hz, clock)
        assert exact <= limit and 0 <= clock - exact < 1
        assert abs(exact / divisor(float(exact), baud) / baud - 1) <= 0.02
        faster = output_hz(board.family, board.clock_hz, limit)
        while faster > exact:
            skipped += 1
            with pytest.raises(UsageError):
                divisor(float(faster), baud)
            faster = output_hz(board.family, board.clock_hz, float(faster - 1))
    assert (skipped > 0) == (baud == 3e6)  # at 1 Mbaud every clock above 25 MHz is good enough


def test_no_usable_clock():
    with pytest.raises(UsageError, match=r"icebreaker: no clock of 15 MHz or less"):
        autoclock.usable(UP5K, 15 * MHZ, 1e6)
    with pytest.raises(UsageError, match="serves 6e\\+07 baud"):
        autoclock.usable(UP5K, 200 * MHZ, 60e6)


def _searched(fmax: list[float], start: float = 36.0) -> tuple[Trial, list[float]]:
    tried: list[float] = []

    def route(clock_hz: float) -> tuple[Trial, int]:
        tried.append(clock_hz / MHZ)
        return Trial(clock_hz, fmax[len(tried) - 1] * MHZ), len(tried)

    trial, outcome = autoclock.search(route, start * MHZ, UP5K, 1e6)
    assert trial.clock_hz == tried[outcome - 1] * MHZ
    return trial, tried


def test_raised_to_what_timing_allows():
    trial, tried = _searched([45.0, 46.0])
    assert tried == [36.0, 44.25] and trial.clock_hz == 44.25e6 and trial.met


def test_second_misses_then_what_it_allows():
    trial, tried = _searched([45.0, 42.0, 43.0])
    assert tried == [36.0, 44.25, 41.25] and trial == Trial(41.25e6, 43e6)


def test_the_first_is_kept_when_the_others_are_no_better():
    trial, tried = _searched([45.0, 36.2])
    assert tried == [36.0, 44.25] and trial == Trial(36e6, 45e6)
    trial, tried = _searched([45.0, 42.0, 40.0])
    assert len(tried) == 3 and trial == Trial(36e6, 45e6)


def test_lowered_where_the_first_misses():
    trial, tried = _searched([30.0, 31.0])
    assert tried == [36.0, 29.625] and trial.met


def test_all_missed():
    """The last one, so that its Fmax is what the user reads."""
    trial, tried = _searched([30.0, 29.0, 27.0])
    assert len(tried) == 3 and not trial.met and trial.fmax_hz == 27e6


def test_nothing_to_gain():
    assert _searched([36.3])[1] == [36.0]
    assert _searched([10.0])[1] == [36.0]  # below all that the PLL makes
