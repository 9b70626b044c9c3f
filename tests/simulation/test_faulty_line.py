"""The runtime over a bad cable to a simulated board: right answers or an error in time, nothing else."""

from __future__ import annotations

import time

import numpy as np
import pytest
from faulty_line import FaultyLine

import hwgen
from hwgen.simulation import SimulatedBoard
from hwgen.support.errors import LinkError

pytestmark = pytest.mark.sim

TIMEOUT = 0.1  # seconds without an answer: short, for most damage is found out by waiting
LONGEST = 60.0  # for one call: all tries of one request, each with twice the time of the last one


def runs(
    board: SimulatedBoard, digits: np.ndarray, *, count: int, seed: int, rate: float, retries: int = 6
) -> tuple[int, int, int]:
    """Batches of three digits until `count` faults happened: how many faults, good batches, errors.

    Fewer faults are in answers: what is lost there takes a time-out to find out.
    """
    good = bad = 0
    expected = hwgen.load(board.design.net.path).run(digits)
    rng = np.random.default_rng(seed)
    with board:
        board.settle()
        pace = board.pace()
        with FaultyLine(board.port, seed, to_device=rate, to_host=rate / 4, cut=board.power_cycle) as line:
            device = None
            while sum(line.faults.values()) < count:
                picked = rng.integers(0, len(digits), 3)
                began = time.monotonic()
                try:
                    if device is None:
                        device = hwgen.Device(
                            line.port, board.design.folder, baud=pace.baud, timeout=TIMEOUT, retries=retries
                        )
                    given = device.run(digits[picked])
                    np.testing.assert_array_equal(given, expected[picked])
                    good += 1
                except LinkError:
                    bad += 1
                assert time.monotonic() - began < LONGEST
            if device is not None:
                device.close()
        # the same board over a good cable, without a reset
        with hwgen.Device(board.port, board.design.folder, baud=pace.baud, timeout=pace.timeout) as device:
            np.testing.assert_array_equal(device.run(digits[:4]), expected[:4])
    return sum(line.faults.values()), good, bad


def test_right_or_an_error(board: SimulatedBoard, digits: np.ndarray) -> None:
    faults, good, bad = runs(board, digits, count=250, seed=3, rate=0.004)
    assert faults >= 250 and good > 20 and good > bad


def test_line_that_is_hopeless(board: SimulatedBoard, digits: np.ndarray) -> None:
    """Every request is damaged many times: errors, in time."""
    _, _, bad = runs(board, digits, count=150, seed=4, rate=0.2, retries=1)
    assert bad >= 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5, 10))
def test_right_or_an_error_for_long(board: SimulatedBoard, digits: np.ndarray, seed: int) -> None:
    runs(board, digits, count=3000, seed=seed, rate=(0.001, 0.003, 0.01, 0.03, 0.1)[seed - 5])
