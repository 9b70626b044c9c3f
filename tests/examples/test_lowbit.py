"""The low-bit example: committed QONNX files, their codes and accuracies, hwgen against QONNX's executor."""

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
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

import hwgen

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "lowbit"
NETWORKS = {"bnn": {-1, 1}, "twn": {-1, 0, 1}, "two_bit": {-2, -1, 0, 1}}  # weight levels
MODELS = [name + suffix for name in NETWORKS for suffix in ("", "_distilled")]
LEAST_ACCURACY = {"bnn": 0.96, "twn": 0.97, "two_bit": 0.97}


def import_script(name: str) -> ModuleType:
    """A module of the example; they import each other as scripts do."""
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def digits() -> Iterator[ModuleType]:
    """The example's data."""
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn: pip install scikit-learn")
    yield import_script("digits")
    sys.modules.pop("digits", None)


@pytest.fixture(scope="module")
def executor() -> Iterator[ModuleType]:
    """QONNX's executor, as the example calls it."""
    pytest.importorskip("qonnx", reason="the oracle: pip install qonnx")
    yield import_script("executor")
    sys.modules.pop("executor", None)


def script(name: str, *arguments: object) -> str:
    """Standard output of one of the example's scripts."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(FOLDER / name), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def stated_accuracy(model: str) -> float:
    """Accuracy of a model as README.md's table states it, in 0..1."""
    match = re.search(rf"`{model}\.onnx`\s*\|\s*(\d+\.\d)\s*%", (FOLDER / "README.md").read_text())
    assert match, f"README.md states no accuracy of {model}.onnx"
    return float(match[1]) / 100


def constants(model: str) -> tuple[onnx.GraphProto, dict[str, NDArray]]:
    """A file's graph and its constants by name."""
    graph = onnx.load(FOLDER / f"{model}.onnx").graph
    return graph, {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


# ---- the committed files ----


@pytest.mark.parametrize("model", MODELS)
def test_file_is_small_and_its_weights_are_those_of_the_code(model: str) -> None:
    """Stored weights are already quantised: whole multiples of the scale, and every level is in use."""
    levels = NETWORKS[model.removesuffix("_distilled")]
    assert (FOLDER / f"{model}.onnx").stat().st_size < 200_000
    graph, values = constants(model)
    quantisers = [node for node in graph.node if "Quant" in node.op_type and node.input[0] in values]
    assert len(quantisers) == 4  # three convolutions and the dense layer
    for node in quantisers:
        weights = values[node.input[0]] / values[node.input[1]]
        assert np.array_equal(weights, np.rint(weights)) and set(np.unique(weights)) == levels, node.name
    assert {node.op_type for node in quantisers} == {"BipolarQuant" if model.startswith("bnn") else "Quant"}


@pytest.mark.parametrize("model", MODELS)
def test_batch_norms_turn_some_steps_round(model: str) -> None:
    graph, values = constants(model)
    gammas = [values[node.input[1]] for node in graph.node if node.op_type == "BatchNormalization"]
    assert len(gammas) == 3 and all((gamma < 0).any() and (gamma > 0).any() for gamma in gammas)


def test_scale_forms() -> None:
    """One scale a layer in the TWN; one an output in the 2-bit network, but for its last layer."""
    sizes = {}
    for model in ("twn", "two_bit"):
        graph, values = constants(model)
        weights = [node for node in graph.node if node.op_type == "Quant" and node.input[0] in values]
        sizes[model] = [values[node.input[1]].size for node in weights]
    assert sizes == {"twn": [1, 1, 1, 1], "two_bit": [16, 16, 32, 1]}


# ---- what hwgen makes of them ----


@pytest.mark.parametrize("model", MODELS)
def test_golden_model_has_the_stated_accuracy(model: str, digits: ModuleType) -> None:
    _, test = digits.load()
    classes = hwgen.load(FOLDER / f"{model}.onnx").run(test.images).argmax(axis=1)
    accuracy = float((classes == test.labels).mean())
    assert accuracy == pytest.approx(stated_accuracy(model), abs=0.0005)
    assert accuracy >= LEAST_ACCURACY[model.removesuffix("_distilled")]


@pytest.mark.parametrize("model", MODELS)
def test_golden_model_equals_the_executor_on_every_test_digit(
    model: str, digits: ModuleType, executor: ModuleType
) -> None:
    _, test = digits.load()
    path = FOLDER / f"{model}.onnx"
    assert np.array_equal(hwgen.load(path).run(test.images), executor.run(path, test.images))


@pytest.mark.parametrize("model", MODELS)
def test_golden_model_equals_the_executor_on_noise(model: str, executor: ModuleType) -> None:
    """Noise from -0.25 to 1.25 clips at both ends of the input's quantiser and rounds between; a part of it
    lies on the quantiser's very ties."""
    random = np.random.default_rng(11)
    images = random.uniform(-0.25, 1.25, (200, 1, 8, 8)).astype(np.float32)
    images[100:] = np.rint(images[100:] * 32) / 32
    path = FOLDER / f"{model}.onnx"
    expected = executor.run(path, images)
    assert np.array_equal(hwgen.load(path).run(images), expected)
    assert len(np.unique(expected.argmax(axis=1))) > 3


# ---- scripts ----


def test_inputs_script_writes_what_the_models_read(tmp_path: Path, digits: ModuleType) -> None:
    script("inputs.py", tmp_path / "x.npy", "--labels", tmp_path / "y.npy", "--count", 9)
    x, y = np.load(tmp_path / "x.npy"), np.load(tmp_path / "y.npy")
    _, test = digits.load()
    assert x.dtype == np.float32 and np.array_equal(x, test.images[:9]) and np.array_equal(y, test.labels[:9])
    assert len(test.labels) == 500 and set(np.unique(test.images * 16)) == set(range(17))


@pytest.mark.slow
def test_training_gives_the_same_files_again(tmp_path: Path, digits: ModuleType) -> None:
    for module in ("torch", "brevitas", "qonnx"):
        pytest.importorskip(module, reason="training needs the extra `train`")
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        script("train.py", "--networks", "twn", "--epochs", 1, "--output", folder)
    plain, distilled = ((tmp_path / "a" / name).read_bytes() for name in ("twn.onnx", "twn_distilled.onnx"))
    assert plain == (tmp_path / "b" / "twn.onnx").read_bytes()
    assert distilled == (tmp_path / "b" / "twn_distilled.onnx").read_bytes()
    assert plain != distilled
