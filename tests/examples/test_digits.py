"""The digits example: reproducible training, TFLite's quantisation, files that the real runtimes run."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import hwgen

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "digits"
MODEL = FOLDER / "digits.tflite"
ONNX_MODEL = FOLDER / "digits.onnx"


@pytest.fixture(scope="module")
def example() -> Iterator[dict[str, ModuleType]]:
    """The example's modules by name; they import each other as scripts do."""
    names = ("data", "network", "quantise", "export_onnx")
    sys.path.insert(0, str(FOLDER))
    yield {name: importlib.import_module(name) for name in names}
    sys.path.remove(str(FOLDER))
    for name in names:
        sys.modules.pop(name, None)


def run(script: str, *arguments: object, **environment: str) -> str:
    """Standard output of one of the example's scripts."""
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn: pip install scikit-learn")
    done = subprocess.run(
        [sys.executable, str(FOLDER / script), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def stated_accuracy() -> float:
    """int8 accuracy as README.md states it, in 0..1."""
    match = re.search(r"int8[^\n]*?(\d+\.\d)\s*%", (FOLDER / "README.md").read_text())
    assert match, "README.md states no int8 accuracy"
    return float(match[1]) / 100


def tflite_micro_outputs(content: bytes, inputs: np.ndarray) -> np.ndarray:
    """What TFLite Micro computes, one input after the other."""
    runtime = pytest.importorskip(
        "tflite_micro.python.tflite_micro.runtime", reason="the oracle: pip install tflite-micro"
    )
    interpreter = runtime.Interpreter.from_bytes(content)
    results = []
    for x in inputs:
        interpreter.set_input(x[np.newaxis], 0)
        interpreter.invoke()
        results.append(interpreter.get_output(0)[0].copy())
    return np.array(results)


def onnxruntime_outputs(path: Path, inputs: np.ndarray) -> np.ndarray:
    """What onnxruntime computes without optimisations, one input after the other."""
    runtime = pytest.importorskip("onnxruntime", reason="the oracle: pip install onnxruntime")
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"digit": x[np.newaxis]})[0] for x in inputs])


# ---- training ----


def test_short_training_gives_the_same_bytes_on_other_arithmetic(tmp_path: Path) -> None:
    """Another BLAS kernel (SSE3, not AVX) sums in another order; nothing may change."""
    printed = [
        run("train.py", "--epochs", 1, "--output", tmp_path / "a.tflite"),
        run("train.py", "--epochs", 1, "--output", tmp_path / "b.tflite", OPENBLAS_CORETYPE="Prescott"),
    ]
    first, second = (tmp_path / "a.tflite").read_bytes(), (tmp_path / "b.tflite").read_bytes()
    assert first == second
    assert first != MODEL.read_bytes()
    # The file's int8 hides small drifts; the float parameters do not.
    digests = [re.findall(r"[0-9a-f]{64}", text) for text in printed]
    assert len(digests[0]) == 1 and digests[0] == digests[1]


@pytest.mark.slow
@pytest.mark.parametrize(("script", "model"), [("train.py", MODEL), ("train_onnx.py", ONNX_MODEL)])
def test_full_training_writes_the_committed_model(tmp_path: Path, script: str, model: Path) -> None:
    printed = run(script, "--output", tmp_path / model.name)
    assert (tmp_path / model.name).read_bytes() == model.read_bytes()
    assert f"int8 {stated_accuracy():.1%}" in printed


def test_products_that_float64_cannot_hold_are_refused(example: dict[str, ModuleType]) -> None:
    network = example["network"]
    a = np.full((1, 2), 2.0**13)
    assert network.exact_product(a, a.T, 25)[0, 0] == 2.0**27
    with pytest.raises(ArithmeticError, match="does not fit"):
        network.exact_product(a, a.T, 26)


def test_scatter_is_the_transpose_of_neighbours(example: dict[str, ModuleType]) -> None:
    network, random = example["network"], np.random.default_rng(1)
    x = random.integers(-9, 9, (2, 5, 4, 3)).astype(float)
    taps = random.integers(-9, 9, (2, 5, 4, 9, 3)).astype(float)
    assert (network.neighbours(x, 3) * taps).sum() == (x * network.scatter(taps, 3)).sum()


def test_gradients_are_the_slope_of_the_loss(
    example: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Along a random direction of every parameter, on grids so fine that slopes can be measured."""
    network, random = example["network"], np.random.default_rng(2)
    for name, bits in {"ACTIVATION_BITS": 20, "WEIGHT_BITS": 20, "GRADIENT_BITS": 20}.items():
        monkeypatch.setattr(network, name, bits)
    layers = network.build(3)
    for layer in layers:
        if "bias" in layer.parameters:  # a bias of 0 puts blank pixels on ReLU's kink
            layer.parameters["bias"] = random.normal(size=layer.parameters["bias"].shape)
    x, labels = random.integers(0, 17, (3, 8, 8, 1)) / 16, np.array([1, 5, 7])

    def loss() -> float:
        logits = network.forward(layers, x)[-1]
        exps = np.exp(logits)
        return float(-np.log(exps[np.arange(3), labels] / exps.sum(axis=1)).sum())

    network.backward(layers, network.forward(layers, x)[-1], labels)
    slopes = {(layer.name, k): g for layer in layers for k, g in layer.gradients.items()}
    assert len(slopes) == 10
    for layer in layers:
        for key, parameter in layer.parameters.items():
            direction, step = random.normal(size=parameter.shape), 2.0**-11
            layer.parameters[key] = parameter + step * direction
            above = loss()
            layer.parameters[key] = parameter - step * direction
            below = loss()
            layer.parameters[key] = parameter
            expected = float((slopes[layer.name, key] * direction).sum())
            measured = (above - below) / (2 * step)
            assert measured == pytest.approx(expected, rel=0.05, abs=0.02), (layer.name, key)


# ---- quantisation ----


@pytest.mark.parametrize(("low", "high"), [(0.0, 3.0), (-1.0, 2.0), (0.5, 4.0), (-3.0, -1.0), (0.0, 0.0)])
def test_activation_range_is_covered_and_zero_is_exact(
    example: dict[str, ModuleType], low: float, high: float
) -> None:
    found = example["quantise"].activation_quantisation(low, high)
    scale = float(found.scales[0])
    assert -128 <= found.zero_point <= 127
    assert scale * (-128 - found.zero_point) <= min(low, 0) + scale / 2 + 1e-6
    assert scale * (127 - found.zero_point) >= max(high, 0) - scale / 2 - 1e-6


def test_weights_are_symmetric_per_channel(example: dict[str, ModuleType]) -> None:
    weights = np.random.default_rng(4).normal(size=(3, 3, 5))
    weights[..., 2] = 0
    integers, found = example["quantise"].quantise_weights(weights, 2)
    twos = example["quantise"].quantise_weights(weights, 2, power_of_two=True)[1].scales
    assert (
        np.all(np.frexp(twos)[0] == 0.5) and np.all(twos >= found.scales) and np.all(twos < 2 * found.scales)
    )
    assert integers.dtype == np.int8 and found.scales.shape == (5,) and found.zero_point == 0
    assert np.abs(integers).max(axis=(0, 1)).tolist() == [127, 127, 0, 127, 127]
    assert np.abs(integers * found.scales.astype(float) - weights).max() <= found.scales.max() * 0.5001


# ---- the test digits ----


def test_inputs_script_writes_what_the_model_reads(tmp_path: Path, example: dict[str, ModuleType]) -> None:
    run("inputs.py", tmp_path / "x.npy", "--labels", tmp_path / "y.npy")
    x, y = np.load(tmp_path / "x.npy"), np.load(tmp_path / "y.npy")
    train, test = example["data"].load()
    assert x.shape == (500, 8, 8, 1) and x.dtype == np.int8 and y.shape == (500,)
    assert np.array_equal((x.astype(int) + 128) / 15, test.pixels) and np.array_equal(y, test.labels)
    assert len(train.labels) == 1297 and set(y.tolist()) == set(range(10))
    run("inputs.py", tmp_path / "few.npy", "--count", 7)
    assert np.array_equal(np.load(tmp_path / "few.npy"), x[:7])


# ---- the committed file ----


def test_file_is_small_and_has_the_stated_accuracy_in_tflite_micro(example: dict[str, ModuleType]) -> None:
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn: pip install scikit-learn")
    content = MODEL.read_bytes()
    assert len(content) < 50_000
    _, test = example["data"].load()
    outputs = tflite_micro_outputs(content, example["data"].to_int8(test.pixels))
    accuracy = (outputs.argmax(axis=1) == test.labels).mean()
    assert accuracy == pytest.approx(stated_accuracy(), abs=0.0005)
    assert accuracy >= 0.98


def test_golden_model_equals_tflite_micro_on_every_test_digit_and_on_noise(
    example: dict[str, ModuleType],
) -> None:
    """Digits leave the softmax at its ends; noise reaches what lies between."""
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn: pip install scikit-learn")
    _, test = example["data"].load()
    noise = np.random.default_rng(5).integers(-128, 128, (300, 8, 8, 1)).astype(np.int8)
    inputs = np.concatenate([example["data"].to_int8(test.pixels), noise])
    expected = tflite_micro_outputs(MODEL.read_bytes(), inputs)
    got = hwgen.load(MODEL).run(inputs)
    assert got.dtype == expected.dtype and np.array_equal(got, expected)
    assert len(np.unique(expected)) > 200


# ---- the ONNX form ----


def test_onnx_form_follows_the_float_network_and_golden_equals_onnxruntime(
    example: dict[str, ModuleType], tmp_path: Path
) -> None:
    """On an untrained network and noise, no scikit-learn needed."""
    layers = example["network"].build(6)
    images = np.random.default_rng(7).integers(0, 17, (100, 8, 8, 1)) / 16
    quantised = example["quantise"].quantise(layers, images, power_of_two=True)
    path = tmp_path / "digits.onnx"
    path.write_bytes(example["export_onnx"].onnx_bytes(quantised))
    inputs = images.transpose(0, 3, 1, 2).astype(np.float32)
    expected = onnxruntime_outputs(path, inputs)
    real = example["network"].forward(layers, images)[-1]
    step = quantised[-1].output.scales[0]
    assert np.abs(expected - real).max() < 12 * step  # a wrong order of weights is off by a hundred
    assert np.array_equal(hwgen.load(path).run(inputs), expected)


def test_committed_onnx_file_equals_onnxruntime_on_every_test_digit(example: dict[str, ModuleType]) -> None:
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn: pip install scikit-learn")
    _, test = example["data"].load()
    inputs = example["data"].to_real(test.pixels).transpose(0, 3, 1, 2).astype(np.float32)
    expected = onnxruntime_outputs(ONNX_MODEL, inputs)
    assert np.array_equal(hwgen.load(ONNX_MODEL).run(inputs), expected)
    assert (expected.argmax(axis=1) == test.labels).mean() == pytest.approx(stated_accuracy(), abs=0.0005)
