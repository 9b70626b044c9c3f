"""Runner, serial commands, host code, link, and the whole board top in Verilator: answers are the model's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hwgen
from bench import mlperf_run
from hwgen.device import Device
from hwgen.ir.tensor import Affine
from hwgen.mlperf.clocks import BoardClock
from hwgen.mlperf.runner import median
from hwgen.mlperf.task import Model, Task
from hwgen.simulation import SimulatedBoard

DIGITS = Path(__file__).parents[2] / "examples" / "digits"

pytestmark = pytest.mark.sim


def test_digits(tmp_path: Path) -> None:
    """A task of our own, small enough for every run of the tests."""
    design = hwgen.compile(DIGITS / "digits_small.tflite", "ulx3s-85f", fps=20_000, out=tmp_path)
    design.generate()
    (x,) = design.net.random_inputs(60).values()
    x = x.reshape(-1, *design.net.graph.inputs[0].shape).astype(np.int8)
    y = design.net.run(x)
    model = Model(
        Task("digits", "digits", x.shape[1:], "<i1", 10), x.shape[1:], Affine(1.0, 0), Affine(1 / 256, -128)
    )
    wanted = np.array([model.leave(b"", each) for each in y])
    with SimulatedBoard(design) as board, Device(board.port, tmp_path) as device:
        with mlperf_run.runner_at(device, model, BoardClock(device)) as runner:
            assert runner.identify()["name"] == "hwgen-ulx3s-85f"
            labels = wanted.argmax(axis=1)
            labels[:6] = (labels[:6] + 1) % 10
            found = runner.accuracy([each.tobytes() for each in x], labels.tolist())
            rates = runner.performance([each.tobytes() for each in x], seconds=0.0005)
        clocks = device.status().clocks
    assert np.abs(np.array(found.results) - wanted).max() < 0.00051
    assert found.right == 54
    assert median(rates) == pytest.approx(board.clock_hz / clocks, rel=0.02)


@pytest.mark.slow
def test_keyword_spotting(models: Path, tmp_path: Path) -> None:
    """Ten of what `python -m bench.mlperf_run` does with all 500."""
    result = mlperf_run.run(10, board="ulx3s-85f", fps=2000, port=None, out=tmp_path)
    assert result["inputs"] == 10 and result["differing"] == 0
    assert result["rate"] > 0.5 * 2000  # of one at a time: latency, not interval
