"""The MLPerf Tiny reference models in RTL, on their real inputs where there are some (minutes each)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hwgen

pytestmark = [pytest.mark.slow, pytest.mark.sim]


def verified(model: Path, out: Path, fps: float, x: np.ndarray | None, **options: object) -> dict:
    design = hwgen.compile(hwgen.load(model), board="ulx3s-85f", fps=fps, out=out)
    result = design.verify(x, **options)
    assert result["exact"]["mismatches"] == 0
    assert result["initiation_interval"] <= 1.05 * result["predicted"]["initiation_interval"]
    return result


def test_keyword_spotting_on_twenty_recordings(models: Path, tmp_path: Path) -> None:
    x = np.load(models / "mlperf_tiny" / "kws01_first500.npz")["x"][:20]
    y = np.load(models / "tflite_vectors" / "kws_ref_model_kws01_outputs.npz")["y"][:20]
    path = models / "mlperf_tiny" / "kws_ref_model.tflite"
    assert np.array_equal(hwgen.load(path).run(x), y)
    result = verified(path, tmp_path, 20000, x)
    assert result["exact"]["samples"] == 20


def test_image_classification(models: Path, tmp_path: Path) -> None:
    images = np.load(models / "mlperf_tiny" / "ic01_200.npz")["x"][:2]
    x = (images.astype(np.int16) - 128).astype(np.int8)
    verified(models / "mlperf_tiny" / "pretrainedResnet_quant.tflite", tmp_path, 2000, x, stages=True)


def test_anomaly_detection(models: Path, tmp_path: Path) -> None:
    verified(models / "mlperf_tiny" / "ad01_int8.tflite", tmp_path, 4000, None, samples=3, stages=True)


def test_visual_wake_words(models: Path, tmp_path: Path) -> None:
    verified(models / "mlperf_tiny" / "vww_96_int8.tflite", tmp_path, 800, None, samples=1)
