"""hwgen mlperf, with a stand-in for the board."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from fakes import Device

from hwgen.cli.commands import mlperf
from hwgen.mlperf import terminal
from hwgen.mlperf.runner import Runner
from hwgen.runtime.serialport import SerialPort
from hwgen.support.errors import UsageError


class Board(Device):
    """Twelve classes, 1,000 clocks of 1 MHz an inference."""

    identity = SimpleNamespace(board="standin", clock=1_000_000)

    def __init__(self, folder: Path, port: str | None, simulate: bool, baud: float | None) -> None:
        super().__init__()
        assert (port, simulate, baud) == ("/dev/board", False, None)

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def status(self) -> SimpleNamespace:
        return SimpleNamespace(clocks=1000)


def test_served_until_the_end(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    design = SimpleNamespace(net=SimpleNamespace(path=models / "mlperf_tiny" / "kws_ref_model.tflite"))
    over = threading.Event()
    monkeypatch.setattr(mlperf.pipeline, "reopen", lambda folder: design)
    monkeypatch.setattr(mlperf, "board", Board)
    monkeypatch.setattr(mlperf, "serve", lambda dut, port: terminal.serve(dut, port, over.is_set))
    link = tmp_path / "runner"
    words = [str(tmp_path), "--port", "/dev/board", "--link", str(link), "--time", "board"]
    said = []
    thread = threading.Thread(target=lambda: said.append(CliRunner().invoke(mlperf.command, words)))
    thread.start()
    until = time.monotonic() + 20
    while not link.exists() and time.monotonic() < until:
        time.sleep(0.01)
    port = SerialPort(str(link), 115_200)
    runner = Runner(port)
    assert runner.identify() == {
        "name": "hwgen-standin", "model": "kws01", "profile": "ULPMark for tinyML Firmware V0.0.1",
    }  # fmt: skip
    runner.load(bytes([127]) + bytes(489))
    inferred = runner.infer(7, 3)
    assert inferred.microseconds == 7000
    assert np.argmax(inferred.results) == 0 and inferred.results[0] == pytest.approx(255 / 256, abs=0.001)
    over.set()
    thread.join(10)
    port.close()
    assert said[0].exit_code == 0 and f"kws01 on standin: the runner's port is {link}" in said[0].output
    assert not link.is_symlink()


def test_options_that_exclude_each_other(tmp_path: Path) -> None:
    words = [str(tmp_path), "--listen", "/dev/ttyUSB1", "--link", "y"]
    with pytest.raises(UsageError, match="--link: is for a new pty"):
        CliRunner().invoke(mlperf.command, words, catch_exceptions=False)
