"""Our runner at a pseudo-terminal, with a device under test behind it: accuracy, performance, failures."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from fakes import KEYWORDS, STEP, Device, Served

import hwgen
from hwgen.mlperf.runner import WARMUPS, WINDOWS, Runner, median
from hwgen.mlperf.task import Model
from hwgen.mlperf.terminal import Terminal
from hwgen.runtime.serialport import SerialPort
from hwgen.support.errors import LinkError, UsageError


def test_identity() -> None:
    with Served(Device()) as port:
        runner = Runner(port)
        for _ in range(2):
            assert runner.identify() == {
                "name": "fake", "model": "kws01", "profile": "ULPMark for tinyML Firmware V0.0.1",
            }  # fmt: skip


def test_accuracy_counts_what_is_right() -> None:
    generator = np.random.default_rng(1)
    x = generator.integers(-100, 100, (30, 490)).astype(np.int8)
    labels = generator.integers(0, 12, 30)
    x[np.arange(30), labels] = 120
    wrong = labels.copy()
    wrong[:7] = (wrong[:7] + 1) % 12
    with Served(device := Device()) as port:
        runner = Runner(port)
        runner.identify()
        found = runner.accuracy([row.tobytes() for row in x], wrong.tolist())
    assert (found.right, found.total, found.share) == (23, 30, 23 / 30)
    assert device.runs == 30
    wanted = (x[:, :12].astype(int) + 128) / 256
    assert np.abs(np.array(found.results) - wanted).max() < 0.00051


def test_performance_is_the_median_rate() -> None:
    with Served(device := Device()) as port:
        runner = Runner(port)
        runner.identify()
        rates = runner.performance([bytes(490), bytes([1]) * 490], seconds=0.05)
    assert rates == [pytest.approx(1e6 / STEP)] * WINDOWS and median(rates) == pytest.approx(1e6 / STEP)
    least = 0.05 * 1e6 / STEP
    assert device.runs == WARMUPS + WINDOWS * (WARMUPS + least)


def test_failures_are_errors() -> None:
    def fail(x: np.ndarray) -> np.ndarray:
        raise LinkError("no answer")

    with Served(Device(fail)) as port:
        runner = Runner(port, timeout=0.3)
        runner.identify()
        with pytest.raises(LinkError, match="bytes are more than"):
            runner.load(bytes(491))
        runner.load(bytes(490))
        with pytest.raises(LinkError, match=r"the device says e-\[no answer\]"):
            runner.infer()
        assert runner.identify()["name"] == "fake"


def test_results_that_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with Served(Device()) as port:
        runner = Runner(port)
        lines = ["m-lap-us-1", "m-lap-us-2", "m-results-[0.5,x]"]
        monkeypatch.setattr(runner, "command", lambda *_: lines)
        with pytest.raises(LinkError, match=r"no results: '0\.5,x'"):
            runner.infer()


def test_nobody_there(tmp_path: Path) -> None:
    link = tmp_path / "board"
    with Terminal(link) as terminal:
        assert link.resolve() == Path(terminal.path)
        port = SerialPort(str(link), 115_200)
        with pytest.raises(LinkError, match=r"no answer to 'name' for 0\.2 s; is it the device under test"):
            Runner(port, timeout=0.2).identify()
        port.close()
        with pytest.raises(UsageError, match="cannot be made"):
            Terminal(link)
    assert not link.exists() and not link.is_symlink()


def test_a_long_answer_waits_for_its_reader() -> None:
    """More than a terminal holds: nothing is lost."""
    with Served(Device()) as port:
        runner = Runner(port)
        runner.identify()
        runner.load(bytes(range(245)) * 2)
        port.write(b"db print%" * 30)
        threading.Event().wait(0.3)
        lines: list[str] = []
        while lines.count("m-ready") < 30:
            lines.append(runner._line("db print", 5))
    assert len(lines) == 30 * (62 + 1)


def test_keyword_spotting_end_to_end(models: Path) -> None:
    """The reference network by its golden model: the classes that its own runtime gives."""
    net = hwgen.load(models / "mlperf_tiny" / "kws_ref_model.tflite")
    file = np.load(models / "mlperf_tiny" / "kws01_first500.npz")
    wanted = np.load(models / "tflite_vectors" / "kws_ref_model_kws01_outputs.npz")["y"][:20]
    model = Model.read(net.path)
    assert model.outward == KEYWORDS.outward
    device = Device(lambda x: net.run(x[np.newaxis])[0])
    with Served(device, model) as port:
        runner = Runner(port)
        assert runner.identify()["model"] == "kws01"
        found = runner.accuracy([x.tobytes() for x in file["x"][:20]], file["y"][:20].tolist())
    expected = (wanted.reshape(20, 12).astype(int) + 128) / 256
    assert np.abs(np.array(found.results) - expected).max() < 0.00051
    assert found.right == int(np.sum(expected.argmax(axis=1) == file["y"][:20]))
