"""The golden model equals stored results of TFLite Micro on other people's models, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tflite_runtimes import assert_equal_to, run_graph, run_hwgen, run_tflm

from hwgen.frontend.load import load_graph

MODELS = [
    "mlperf_tiny/ad01_int8",
    "mlperf_tiny/kws_ref_model",
    "mlperf_tiny/pretrainedResnet_quant",
    "mlperf_tiny/vww_96_int8",
    "mltk/audio_example1",
    "mltk/autoencoder_example",
    "mltk/keyword_spotting",
    "mltk/keyword_spotting_heygecko",
    "mltk/keyword_spotting_on_off",
    "mltk/rock_paper_scissors",
    "mltk/visual_wake_words",
    "tflite_micro/hello_world_int8",
    "tflite_micro/micro_speech_quantized",
]


@pytest.mark.parametrize("name", MODELS)
def test_random_inputs(models: Path, name: str) -> None:
    graph = load_graph(models / f"{name}.tflite")
    with np.load(models / "tflite_vectors" / f"{name.replace('/', '_')}_rand4.npz") as vectors:
        x, y = vectors["x"][:, 0], vectors["y"][:, 0]
    got = run_graph(graph, x)
    assert got.dtype == y.dtype
    np.testing.assert_array_equal(got, y)


def test_keyword_spotting_on_the_official_inputs(models: Path) -> None:
    graph = load_graph(models / "mlperf_tiny" / "kws_ref_model.tflite")
    with np.load(models / "mlperf_tiny" / "kws01_first500.npz") as data:
        x, labels = data["x"], data["y"]
    want = np.load(models / "tflite_vectors" / "kws_ref_model_kws01_outputs.npz")["y"][: len(x)]
    got = run_graph(graph, x)
    np.testing.assert_array_equal(got, want)
    accuracy = float(np.mean(got.argmax(axis=1) == labels))
    print(f"keyword spotting: {accuracy:.1%} of {len(x)}")
    assert accuracy > 0.89


@pytest.mark.slow
def test_image_classification_on_the_official_inputs(models: Path) -> None:
    graph = load_graph(models / "mlperf_tiny" / "pretrainedResnet_quant.tflite")
    with np.load(models / "mlperf_tiny" / "ic01_200.npz") as data:
        x, labels = data["x"], data["y"]
    want = np.load(models / "tflite_vectors" / "pretrainedResnet_quant_ic01_outputs.npz")["y"]
    got = run_graph(graph, (x.astype(np.int16) - 128).astype(np.int8))
    np.testing.assert_array_equal(got, want)
    assert float(np.mean(got.argmax(axis=1) == labels)) > 0.85


def test_anomaly_detection_on_a_real_clip(models: Path) -> None:
    graph = load_graph(models / "mlperf_tiny" / "ad01_int8.tflite")
    with np.load(models / "tflite_vectors" / "ad01_normal_clip.npz") as vectors:
        np.testing.assert_array_equal(run_graph(graph, vectors["x"]), vectors["y"])


def test_shape_arithmetic_is_folded(models: Path) -> None:
    """SHAPE, STRIDED_SLICE, PACK and float edges of (5, 128, 1)."""
    path = models / "mltk" / "anomaly_detection.tflite"
    graph = load_graph(path)
    assert graph.inputs[0].shape == (5, 128, 1)
    x = np.random.default_rng(1).normal(scale=60, size=(3, 5, 128, 1)).astype(np.float32)
    np.testing.assert_array_equal(run_graph(graph, x), run_tflm(path.read_bytes(), x))


def test_uint8_mobilenet_equals_litert(models: Path) -> None:
    """Weights with zero points; TFLite Micro has no uint8 convolution."""
    data = (models / "coral" / "mobilenet_v1_0.25_128_quant.tflite").read_bytes()
    x = np.random.default_rng(3).integers(0, 256, (2, 128, 128, 3)).astype(np.uint8)
    assert_equal_to("litert", data, x)


def test_anomaly_detection_equals_litert(models: Path) -> None:
    """Ten fully connected layers: where LiteRT's newer rule shows in a third of all outputs."""
    data = (models / "mlperf_tiny" / "ad01_int8.tflite").read_bytes()
    with np.load(models / "tflite_vectors" / "ad01_normal_clip.npz") as vectors:
        x, older = vectors["x"], vectors["y"]
    assert_equal_to("litert", data, x)
    assert np.any(run_hwgen(data, x, "litert") != older)
