"""A float network through onnxruntime's own quantiser, in the forms it writes, to hwgen."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx_runtime import Builder, Run

quantization = pytest.importorskip("onnxruntime.quantization")


def float_model(rng: np.random.Generator) -> onnx.ModelProto:
    """Convolutions (dense, depthwise), batch-norm, ReLU, residual, pools, dense, Softmax."""
    net = Builder()

    def conv(x: str, outputs: int, inner: int, kernel: int, **attributes: Any) -> str:
        w = rng.normal(0, 1 / np.sqrt(inner * kernel * kernel), (outputs, inner, kernel, kernel))
        return net.node(
            "Conv",
            x,
            net.const(w, "float32"),
            net.const(rng.normal(0, 0.3, outputs), "float32"),
            **attributes,
        )

    x = net.input((1, 3, 12, 12))
    stats = [rng.uniform(0.5, 1.5, 8), rng.normal(0, 0.2, 8), rng.normal(0, 0.2, 8), rng.uniform(0.5, 2, 8)]
    y = net.node(
        "BatchNormalization", conv(x, 8, 3, 3, pads=[1, 1, 1, 1]), *(net.const(s, "float32") for s in stats)
    )
    first = net.node("Relu", y)
    y = net.node("Relu", conv(first, 8, 1, 3, pads=[1, 1, 1, 1], group=8))
    y = net.node("Add", conv(y, 8, 8, 1), first)
    y = net.node("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2])
    y = net.node("GlobalAveragePool", conv(y, 6, 8, 3))
    y = net.node("Flatten", y)
    y = net.node(
        "Gemm",
        y,
        net.const(rng.normal(0, 0.5, (5, 6)), "float32"),
        net.const(rng.normal(0, 0.3, 5), "float32"),
        transB=1,
    )
    model = net.model(net.node("Softmax", y, axis=1))
    model.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info(model.graph.output[0].name, 1, (1, 5)))
    return model


class Samples(quantization.CalibrationDataReader):
    def __init__(self, x: NDArray[np.float32]) -> None:
        self.items = iter([{"x": x[i : i + 1]} for i in range(len(x))])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self.items, None)


FORMS = [
    ("QDQ", "QUInt8", "QInt8", False),
    ("QDQ", "QInt8", "QInt8", True),
    ("QDQ", "QUInt8", "QUInt8", False),
    ("QOperator", "QUInt8", "QUInt8", False),
    ("QOperator", "QInt8", "QInt8", True),
]


@pytest.mark.parametrize(("form", "activations", "weights", "per_channel"), FORMS)
def test_what_onnxruntimes_quantiser_writes(
    tmp_path: Path, form: str, activations: str, weights: str, per_channel: bool
) -> None:
    rng = np.random.default_rng(4)
    logging.getLogger().setLevel(logging.ERROR)
    x = rng.normal(0, 1, (40, 3, 12, 12)).astype(np.float32)
    source, result = tmp_path / "float.onnx", tmp_path / "int8.onnx"
    onnx.save(float_model(rng), source)
    quantization.quantize_static(
        source,
        result,
        Samples(x[:20]),
        quant_format=quantization.QuantFormat[form],
        activation_type=quantization.QuantType[activations],
        weight_type=quantization.QuantType[weights],
        per_channel=per_channel,
    )
    run = Run(onnx.load(result), x)
    compared = run.differences()
    assert sum(all_ for _, all_ in compared.values()) > 100_000
    wrong = sum(bad for bad, _ in compared.values())
    # QDQ: float32 noise near ties, most of it in the mean (see layers/sumpool/importers_onnx.py).
    assert wrong == 0 if form == "QOperator" else wrong <= 30, compared
    if wrong == 0:
        assert np.array_equal(run.y, run.y_expected)
