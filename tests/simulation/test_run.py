"""hwgen run and hwgen simulate as a user meets them: real digits, one line of error, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from designs import model
from PIL import Image

import hwgen
from hwgen.design import Design

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))

from tflite_runtimes import run_tflm


@pytest.fixture
def name(design: Design) -> str:
    """Of the design."""
    return design.options.engine


@pytest.mark.sim
def test_answers_are_those_of_the_models_runtime(
    design: Design, name: str, digits: np.ndarray, tmp_path: Path, hwgen_command
) -> None:
    np.save(tmp_path / "x.npy", digits[:50])
    (tmp_path / "names").write_text("\n".join(f"digit {k}" for k in range(10)))
    options = ("--simulate", "--labels", tmp_path / "names", "--top", 2, "-o", tmp_path / "y.npy", "--json")
    code, out, err = hwgen_command("run", design.folder, tmp_path / "x.npy", *options)
    assert code == 0 and err == ""
    y = np.load(tmp_path / "y.npy")
    np.testing.assert_array_equal(y, hwgen.load(model(name)).run(digits[:50]))
    result = json.loads(out)
    assert result["board"] == design.board.name and result["sent_again"] < 20  # a loaded machine may be late
    assert [row["output"] for row in result["outputs"]] == y.tolist()
    for row, each in zip(result["outputs"], y):
        assert row["top"][0]["class"] == each.argmax() and len(row["top"]) == 2
        assert row["top"][0]["label"] == f"digit {each.argmax()}"
    np.testing.assert_array_equal(y, run_tflm(model(name).read_bytes(), digits[:50]))


@pytest.mark.sim
def test_simulate_serves_until_ctrl_c(
    design: Design, name: str, digits: np.ndarray, tmp_path: Path, hwgen_command
) -> None:
    """Pictures and tables as one batch through the port that another process serves."""
    Image.fromarray((digits[0].astype(int) + 128).astype(np.uint8)[..., 0]).save(tmp_path / "digit.png")
    np.savetxt(tmp_path / "digits.csv", digits[1:3].reshape(2, -1), fmt="%d", delimiter=",")
    argv = [sys.executable, "-m", "hwgen", "simulate", str(design.folder), "--json"]
    environment = {**os.environ, "PYTHONPATH": str(Path(hwgen.__file__).parents[1])}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment) as server:
        try:
            assert server.stdout is not None
            port = json.loads(server.stdout.readline())["port"]
            files = (tmp_path / "digit.png", tmp_path / "digits.csv")
            for _ in range(2):  # one after the other
                code, out, err = hwgen_command("run", design.folder, *files, "--port", port)
                assert code == 0, err
                lines = out.splitlines()
                expected = hwgen.load(model(name)).run(digits[:3]).argmax(axis=1)
                assert [line.split()[:2] for line in lines] == [
                    [f, str(y)] for f, y in zip(("digit.png", "digits.csv[0]", "digits.csv[1]"), expected)
                ]
            server.send_signal(signal.SIGINT)
            assert server.wait(20) == 0
            assert not Path(port).exists()
        finally:
            server.kill()


def test_what_is_wrong_is_one_line(design: Design, tmp_path: Path, hwgen_command, monkeypatch) -> None:
    def complaint(*arguments: object) -> str:
        code, out, err = hwgen_command("run", *arguments)
        assert code in (1, 2, 8, 9) and out == "" and err.count("\n") == 1, err
        return err

    good, bad = tmp_path / "x.npy", tmp_path / "bad.npy"
    np.save(good, np.zeros((2, 8, 8, 1), dtype=np.int8))
    np.save(bad, np.zeros((2, 8, 9, 1), dtype=np.int8))
    assert "bad.npy: the shape 2 x 8 x 9 x 1; the model takes 8 x 8 x 1" in complaint(design.folder, bad)
    assert "--port: a simulated board has its own port" in complaint(
        design.folder, good, "--simulate", "--port", "/dev/ttyUSB0"
    )
    assert "is no build folder; run `hwgen build` first" in complaint(tmp_path, good)
    assert "no such serial port" in complaint(design.folder, good, "--port", tmp_path / "ttyUSB7")
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [])
    assert "there is no USB serial port" in complaint(design.folder, good)
    assert "cannot be read" in complaint(design.folder, good, "--labels", tmp_path / "none")


def test_simulate_without_a_design(tmp_path: Path, hwgen_command) -> None:
    code, _, err = hwgen_command("simulate", tmp_path)
    assert code == 2 and "is no build folder; run `hwgen build` first" in err and err.count("\n") == 1
