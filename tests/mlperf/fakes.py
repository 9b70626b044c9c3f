"""A device that is no hardware, and time that passes as it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from hwgen.ir.tensor import Affine
from hwgen.mlperf.dut import Dut
from hwgen.mlperf.task import TASKS, Model
from hwgen.mlperf.terminal import Terminal, serve, speaker
from hwgen.runtime.serialport import SerialPort

KEYWORDS = Model(TASKS["kws01"], (49, 10, 1), Affine(0.5, 3), Affine(1 / 256, -128))
STEP = 250  # microseconds of an inference


class Device:
    """Class k's score grows with input byte k; counts its inferences."""

    def __init__(self, compute: Callable[[np.ndarray], np.ndarray] | None = None) -> None:
        self.runs = 0
        self.compute = compute or (lambda x: x.reshape(-1)[:12])

    def run(self, x: np.ndarray) -> np.ndarray:
        self.runs += 1
        return self.compute(x)


class Clock:
    """STEP microseconds an inference."""

    def __init__(self) -> None:
        self.now = 1000

    def microseconds(self) -> int:
        return self.now

    def inferred(self) -> None:
        self.now += STEP


class Served:
    """Context manager: a device under test at a pseudo-terminal, served by a thread; the runner's port."""

    def __init__(self, device: Device, model: Model = KEYWORDS) -> None:
        self.device, self.model = device, model

    def __enter__(self) -> SerialPort:
        self.terminal, self.over = Terminal(), threading.Event()
        dut = Dut("fake", self.model, self.device, Clock(), speaker(self.terminal))
        self.thread = threading.Thread(target=serve, args=(dut, self.terminal, self.over.is_set))
        self.port = SerialPort(self.terminal.path, 115_200)
        self.thread.start()
        return self.port

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join(10)
        self.port.close()
        self.terminal.close()
