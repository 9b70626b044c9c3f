"""What is routed for a board is what answers there: every board's demo, simulated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hwgen
from hwgen.flow import board as boards
from hwgen.simulation import SimulatedBoard

pytestmark = pytest.mark.sim

ROOT = Path(__file__).parents[2]
QUICK = ("icestick", "colorlight-5a-75b")  # the rest differ in pins and clocks
NAMES = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in boards.names()]


@pytest.mark.parametrize("name", NAMES)
def test_demo(name: str, tmp_path: Path) -> None:
    demo = boards.load(name).demo
    design = hwgen.compile(ROOT / demo.model, name, out=tmp_path, **demo.options)
    design.generate()
    edge = design.net.graph.inputs[0]
    rng = np.random.default_rng(1)
    if np.dtype(edge.dtype).kind == "f":
        x = rng.random((3, *edge.shape)).astype(edge.dtype)
    else:
        x = rng.integers(-128, 128, (3, *edge.shape)).astype(edge.dtype)
    with SimulatedBoard(design) as board:
        board.settle()
        pace = board.pace(design.predicted()["cycles_per_inference"])
        with hwgen.Device(board.port, tmp_path, baud=pace.baud, timeout=pace.timeout) as device:
            assert device.identity.board == name[:16] and device.identity.clock == round(board.clock_hz)
            np.testing.assert_array_equal(device.run(x), design.net.run(x))
            assert device.status().runs >= 3
