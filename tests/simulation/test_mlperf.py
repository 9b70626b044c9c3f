"""MLPerf Tiny's runner, serial commands, host code, link, and the whole board top: the model's answers."""

from __future__ import annotations

import numpy as np
import pytest

from bench import mlperf_run
from hwgen.device import Device
from hwgen.ir.tensor import Affine
from hwgen.mlperf.clocks import BoardClock
from hwgen.mlperf.runner import median
from hwgen.mlperf.task import Model, Task
from hwgen.simulation import SimulatedBoard

pytestmark = pytest.mark.sim


def test_digits(board: SimulatedBoard, digits: np.ndarray) -> None:
    """A task of our own, small enough for every run of the tests."""
    design, x = board.design, digits[:30]
    net = design.net
    x = x.reshape(len(x), *net.graph.inputs[0].shape)
    shape = x.shape[1:]
    model = Model(Task("digits", "digits", shape, "<i1", 10), shape, Affine(1.0, 0), Affine(1 / 256, -128))
    wanted = np.array([model.leave(b"", y) for y in net.run(x)])
    inputs = [each.tobytes() for each in x]
    with board:
        board.settle()
        with Device(board.port, design.folder) as device:
            with mlperf_run.runner_at(device, model, BoardClock(device)) as runner:
                assert runner.identify()["name"] == f"hwgen-{design.board.name}"
                labels = wanted.argmax(axis=1)
                labels[:6] = (labels[:6] + 1) % 10
                found = runner.accuracy(inputs, labels.tolist())
                rates = runner.performance(inputs, seconds=1e-5)
            clocks = device.status().clocks
    assert np.abs(np.array(found.results) - wanted).max() < 0.00051
    assert found.right == len(x) - 6
    assert median(rates) == pytest.approx(board.clock_hz / clocks, rel=0.02)
