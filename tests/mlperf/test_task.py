"""Bytes of the benchmark's inputs and numbers of its results, with the reference models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hwgen
from hwgen.mlperf.task import TASKS, Model
from hwgen.support.errors import UsageError

DIGITS = Path(__file__).parents[2] / "examples" / "digits" / "digits.tflite"
FILES = {
    "kws01": "kws_ref_model",
    "ic01": "pretrainedResnet_quant",
    "ad01": "ad01_int8",
    "vww01": "vww_96_int8",
}


@pytest.mark.parametrize("name", TASKS)
def test_which_task_a_model_is_for(models: Path, name: str) -> None:
    path = models / "mlperf_tiny" / f"{FILES[name]}.tflite"
    model = Model.read(path)
    assert model.task.model == name and Model.read(path, name) == model
    x = model.enter(bytes(model.task.bytes))
    assert x.dtype == np.int8 and x.shape == hwgen.load(path).graph.inputs[0].shape
    with pytest.raises(UsageError, match=f"{model.task.bytes} bytes, not 5"):
        model.enter(bytes(5))


def test_keywords(models: Path) -> None:
    path = models / "mlperf_tiny" / "kws_ref_model.tflite"
    model, net = Model.read(path), hwgen.load(path)
    x = np.load(models / "mlperf_tiny" / "kws01_first500.npz")["x"][3]
    assert np.array_equal(model.enter(x.tobytes()), x)
    y = net.run(x[np.newaxis])[0]
    assert model.leave(x.tobytes(), y) == [(int(q) + 128) / 256 for q in y]


def test_pictures(models: Path) -> None:
    path = models / "mlperf_tiny" / "pretrainedResnet_quant.tflite"
    model = Model.read(path)
    x = np.load(models / "mlperf_tiny" / "ic01_200.npz")["x"][3]
    assert np.array_equal(model.enter(x.tobytes()), x.astype(int) - 128)


def test_anomalies(models: Path) -> None:
    """The error is of what the network makes of the spectrum, against the spectrum that was sent."""
    path = models / "mlperf_tiny" / "ad01_int8.tflite"
    model, net = Model.read(path), hwgen.load(path)
    spectrum = np.load(models / "mlperf_tiny" / "samples_misc.npz")["ad_spec_f32"]
    x = np.ascontiguousarray(spectrum[:5].reshape(-1))
    entered = model.enter(x.tobytes())
    wanted = np.clip(np.round(x.astype(float) / model.inward.scale) + model.inward.zero_point, -128, 127)
    assert np.abs(entered - wanted).max() <= 1 and np.mean(entered != wanted) < 0.01
    y = net.run(entered[np.newaxis])[0]
    made = (y.astype(float) - model.outward.zero_point) * model.outward.scale
    assert model.leave(x.tobytes(), y) == pytest.approx([np.mean((made - x) ** 2)], rel=1e-5)


def test_models_of_no_task(models: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no task has inputs of .*kws01"):
        Model.read(DIGITS)
    with pytest.raises(UsageError, match="no task"):
        Model.read(models / "mlperf_tiny" / "kws_ref_model.tflite", "ic01")
    with pytest.raises(UsageError, match=r"are \.tflite"):
        Model.read(tmp_path / "a.onnx")
