"""Published binary and two-bit networks in RTL, on real digits and pictures: every integer of every layer."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import hwgen

pytestmark = pytest.mark.sim


@dataclass(frozen=True)
class Sample:
    """Inputs as the hardware's source has them (uint8, batch first) and their classes."""

    x: np.ndarray
    y: np.ndarray


@pytest.fixture(scope="module")
def digits(models: Path) -> Sample:
    """The first 1,000 test digits of MNIST."""
    data = np.load(models / "mnist" / "mnist_small.npz")
    return Sample(data["x_test"], data["y_test"])


@pytest.fixture(scope="module")
def pictures(models: Path) -> Sample:
    """200 test pictures of CIFAR-10, (N, 3, H, W)."""
    data = np.load(models / "mlperf_tiny" / "ic01_200.npz")
    return Sample(np.ascontiguousarray(data["x"].transpose(0, 3, 1, 2)), data["y"])


def unpacked(models: Path, name: str, folder: Path) -> Path:
    path = folder / f"{name}.onnx"
    path.write_bytes(gzip.decompress((models / "bnn_pynq" / f"{name}.onnx.gz").read_bytes()))
    return path


def floats(images: np.ndarray) -> np.ndarray:
    """(N, 1, 28, 28) in [0, 1]."""
    return (images[:, None] / np.float32(255)).astype(np.float32)


def verified(model: Path, out: Path, fps: float, x: np.ndarray, clock: float = 100) -> None:
    design = hwgen.compile(hwgen.load(model), board="ulx3s-85f", fps=fps, clock=clock, out=out)
    result = design.verify(x, stages=True)
    assert result["exact"]["samples"] == len(x)
    assert result["exact"]["mismatches"] == 0
    assert result["initiation_interval"] <= 1.05 * result["predicted"]["initiation_interval"]


def test_tfc_of_one_bit(models: Path, digits: Sample, tmp_path: Path) -> None:
    model = models / "qonnx" / "TFC_1W1A.onnx"
    scores = hwgen.load(model).run(floats(digits.x))
    assert np.mean(np.argmax(scores, axis=1) == digits.y) > 0.88
    verified(model, tmp_path, 20000, floats(digits.x[:4]))


@pytest.mark.slow
def test_tfc_of_two_bits(models: Path, digits: Sample, tmp_path: Path) -> None:
    model = models / "qonnx" / "TFC_2W2A.onnx"
    scores = hwgen.load(model).run(floats(digits.x))
    assert np.mean(np.argmax(scores, axis=1) == digits.y) > 0.93
    verified(model, tmp_path, 20000, floats(digits.x[:4]))


@pytest.mark.slow
def test_tfc_of_finns_tutorial(models: Path, digits: Sample, tmp_path: Path) -> None:
    """Pixels 0 .. 255 in, the class out; its own vector first."""
    folder = models / "qonnx"
    model = folder / "finn_fpga_flow_tfc.onnx"
    net = hwgen.load(model)
    vector = np.load(folder / "finn_fpga_flow_input.npy")
    assert np.array_equal(net.run(vector), np.load(folder / "finn_fpga_flow_expected.npy").reshape(1, -1))
    pixels = digits.x[:, None].astype(np.float32)
    assert np.mean(net.run(pixels)[:, 0] == digits.y) > 0.88
    verified(model, tmp_path, 20000, np.concatenate([vector, pixels[:3]]))


@pytest.mark.slow
def test_lfc(models: Path, digits: Sample, tmp_path: Path) -> None:
    """2.9 million binary weights, all on chip; the input's own staircase is one layer."""
    model = unpacked(models, "mnist_lfcW1A1", tmp_path)
    pixels = digits.x.reshape(-1, 784).astype(np.float32)
    scores = hwgen.load(model).run(pixels)
    assert np.mean(np.argmax(scores, axis=1) == digits.y) > 0.97
    verified(model, tmp_path / "out", 100e6 / 512, pixels[:3])


@pytest.mark.slow
def test_cnv(models: Path, pictures: Sample, tmp_path: Path) -> None:
    """59 million binary products a picture."""
    model = unpacked(models, "cifar10_cnvW1A1", tmp_path)
    pixels = pictures.x.astype(np.float32) - 128
    scores = hwgen.load(model).run(pixels[:50])
    assert np.mean(np.argmax(scores, axis=1) == pictures.y[:50]) > 0.6
    verified(model, tmp_path / "out", 3000, pixels[:1])
