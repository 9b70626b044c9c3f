"""The real quantised ONNX models against onnxruntime (ORT_DISABLE_ALL), every intermediate integer.

QOperator models are integer arithmetic: equal. QDQ models are float32 between Dequantize and Quantize:
what may differ is counted. Measured on 200 real inputs each: fed with the runtime's own inputs, the
convolutions and dense layers differ in about 2 of 10^6 integers, each by one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx_runtime import Run

from hwgen.golden.run import golden_functions

QOPERATOR = [("kws_u8u8_pt_qop", 10), ("kws_s8s8_pc_qop", 10), ("ic_u8u8_pt_qop", 4), ("ad_u8u8_pt_qop", 40)]
QDQ = [("kws_u8s8_pt_qdq", 10), ("ic_s8s8_pc_sym_qdq", 4), ("ad_s8s8_pc_qdq", 40), ("mnist_u8s8_pt_qdq", 40)]


def inputs(models: Path, name: str, count: int) -> NDArray[np.float32]:
    """Real inputs of a model's task; for ad random ones of the right size."""
    if name.startswith("kws"):
        with np.load(models / "mlperf_tiny" / "kws01_first500.npz") as data:
            (x,) = (data[k] for k in data.files if data[k].ndim > 1)
        return x[:count].astype(np.float32).reshape(-1, 49, 10, 1)
    if name.startswith("ic"):
        with np.load(models / "mlperf_tiny" / "ic01_200.npz") as data:
            (x,) = (data[k] for k in data.files if data[k].ndim == 4)
        mean, deviation = np.array([[0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010]])
        return ((x[:count] / 255 - mean) / deviation).transpose(0, 3, 1, 2).astype(np.float32)
    if name.startswith("mnist"):
        with np.load(models / "mnist" / "mnist_test_first5000.npz") as data:
            (x,) = (data[k] for k in data.files if data[k].ndim > 1)
        return x[:count].reshape(-1, 1, 28, 28).astype(np.float32)
    return np.random.default_rng(0).normal(-20, 20, (count, 640)).astype(np.float32)


def run(models: Path, name: str, count: int) -> Run:
    model = onnx.load(models / "onnx_qdq" / f"{name}.onnx")
    return Run(model, inputs(models, name, count))


def alone(run: Run) -> dict[str, tuple[int, int]]:
    """(differing, compared) of every node fed with the runtime's own integers."""
    graph, found = run.graph, {}

    def expected(name: str) -> NDArray | None:
        tensor = graph.tensors[name]
        maker = graph.producer(name)
        if maker is None:
            return run.values[name]
        if maker.kind == "reshape":
            inner = expected(maker.inputs[0])
            return None if inner is None else inner.reshape(len(inner), *tensor.shape)
        seen = run.expected.get(tensor.source)
        if seen is None or seen.size != run.values[name].size:
            return None
        height, width, channels = tensor.shape
        return seen.astype(np.int64).reshape(-1, channels, height, width).transpose(0, 2, 3, 1)

    for node in graph.nodes:
        given = [expected(name) for name in node.inputs]
        wanted = expected(node.output)
        if node.kind != "reshape" and wanted is not None and all(g is not None for g in given):
            got = golden_functions()[node.kind](node, *given)
            found[node.name] = (int(np.sum(got != wanted)), got.size)
            assert np.abs(got - wanted).max() <= 1
    return found


@pytest.mark.parametrize(("name", "count"), QOPERATOR)
def test_qoperator_models_are_equal(models: Path, name: str, count: int) -> None:
    result = run(models, name, count)
    compared = result.differences()
    assert len(compared) >= 10
    result.assert_equal()


@pytest.mark.parametrize(("name", "count"), QDQ)
def test_qdq_models_differ_in_noise_only(models: Path, name: str, count: int) -> None:
    """Every layer on the runtime's own inputs: at most 1 in 10^5, except means with ties (1 in 50)."""
    result = run(models, name, count)
    layers = alone(result)
    assert len(layers) >= 5
    means = {key for key in layers if key.startswith("sumpool")}
    bad, compared = np.sum([pair for key, pair in layers.items() if key not in means], axis=0)
    assert bad <= max(compared * 1e-5, 1), layers
    for key in means:
        assert layers[key][0] <= layers[key][1] / 50
    assert np.mean(result.y != result.y_expected) < 0.05
    assert np.mean(np.argmax(result.y, -1) == np.argmax(result.y_expected, -1)) == 1
