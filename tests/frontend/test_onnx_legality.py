"""What the ONNX front end refuses, and how it says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from hwgen.frontend.onnx_qdq import load
from hwgen.support.errors import ModelError, UnsupportedError, UsageError

Q = {"s": np.float32(0.1), "z": np.int8(0), "w": np.ones((2, 4), np.int8), "f": np.ones((4, 2), np.float32)}


def model(
    nodes: list[Any], shape: Any = (1, 4), dtype: Any = np.float32, out: str = "y", **constants: Any
) -> bytes:
    """A model of nodes (kind, inputs, output[, attributes]) on input x with the constants of Q."""
    made = [
        helper.make_node(kind, inputs.split(), [output], name=f"n_{output}", **(more[0] if more else {}))
        for kind, inputs, output, *more in nodes
    ]
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = helper.make_graph(
        made,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [onnx.ValueInfoProto(name=out)],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in (Q | constants).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]).SerializeToString()


ENTER = [("QuantizeLinear", "x s z", "q"), ("DequantizeLinear", "q s z", "d")]
LEAVE = [("QuantizeLinear", "r s z", "p"), ("DequantizeLinear", "p s z", "y")]
WEIGHTS = ("DequantizeLinear", "w s z", "v")


def complaints(data: bytes) -> str:
    with pytest.raises(UnsupportedError) as error:
        load(data, "m")
    return str(error.value)


def test_everything_unsupported_is_listed_at_once() -> None:
    nodes = [*ENTER, ("Erf", "d", "e"), ("Softplus", "e", "r", {"domain": "my.own"}), *LEAVE]
    text = complaints(model(nodes))
    assert "2 unsupported things" in text
    assert "node 2 Erf (n_e): hwgen has no such operation" in text
    assert "node 3 Softplus (n_r): operators of domain my.own" in text


def test_refusals_of_several_layers_are_collected() -> None:
    nodes = [*ENTER, ("Gemm", "d f", "a"), ("QLinearSoftmax", "d", "b"), ("Add", "a b", "r"), *LEAVE]
    text = complaints(model(nodes))
    assert "2 unsupported things" in text, "the Add after them is not complained about"
    assert "the weights (input 1) are float; quantise them" in text
    assert "QLinearSoftmax (n_b): input 0 is not quantised; put QuantizeLinear before it" in text


@pytest.mark.parametrize(
    ("nodes", "shape", "message"),
    [
        ([("Relu", "x", "y")], (1, 4), "a floating-point model"),
        ([*ENTER, ("Gemm", "x f", "r"), *LEAVE], (1, 4), "put QuantizeLinear after the input"),
        ([*ENTER, WEIGHTS, ("Gemm", "d v", "y", {"transB": 1})], (1, 4), ""),
        ([*ENTER, ("Softmax", "d", "a"), ("Relu", "a", "y")], (1, 4), "not dequantised"),
        ([*ENTER, ("Relu", "d", "y")], (1, 4), "quantise the last layer's output"),
        ([*ENTER, ("Identity", "d", "r"), *LEAVE], ("n", "t"), "dynamic dimension 1 (t)"),
        ([*ENTER, ("Identity", "d", "r"), *LEAVE], (3, 4), "batch 3"),
        ([*ENTER, ("Identity", "d", "r"), *LEAVE], (1, 1 << 24), "at most"),
        ([*ENTER, ("Mul", "d d", "r"), *LEAVE], (1, 4), "arithmetic of two computed values"),
        ([*ENTER, ("Cast", "d", "r", {"to": 1}), *LEAVE], (1, 4), "is computed; a constant is supported"),
    ],
)
def test_one_refusal(nodes: list[Any], shape: Any, message: str) -> None:
    data = model(nodes, shape)
    if message:
        assert message in complaints(data)
    else:
        assert len(load(data, "m").nodes) == 1


def test_an_image_cannot_change_order_in_mid_stream() -> None:
    kernel = np.ones((2, 2, 1, 1), np.int8)
    nodes = [
        *ENTER,
        ("DequantizeLinear", "k s z", "v"),
        ("Conv", "d v", "r"),
        *LEAVE[:1],
        ("DequantizeLinear", "p s z", "e"),
        ("Transpose", "e", "t", {"perm": [0, 1, 3, 2]}),
        ("Conv", "t v", "u"),
        ("QuantizeLinear", "u s z", "y"),
    ]
    assert "change order in mid-stream" in complaints(model(nodes, (1, 2, 3, 4), k=kernel))


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([("QuantizeLinear", "x s z", "y"), ("Relu", "nowhere", "y2")], ""),
        ([("QuantizeLinear", "nowhere s z", "y")], "reads nowhere, which nothing before it makes"),
        ([*ENTER, ("Reshape", "d five", "r"), *LEAVE], "cannot become"),
        ([*ENTER, ("Identity", "d", "q"), ("Identity", "q", "r"), *LEAVE], "makes q, which is there already"),
        ([("QuantizeLinear", "x minus z", "y")], "a scale is not a positive number"),
        ([("QuantizeLinear", "x s z", "other")], "nothing makes the output y"),
    ],
)
def test_contradictions(nodes: list[Any], message: str) -> None:
    data = model(nodes, five=np.array([1, 5]), minus=np.float32(-1))
    if not message:  # a broken node that no output needs does not matter; the rest computes nothing
        assert "computes nothing" in complaints(data)
        return
    with pytest.raises(ModelError, match=message):
        load(data, "m")


def test_external_data_is_refused_and_not_opened(tmp_path: Path) -> None:
    proto = onnx.ModelProto.FromString(model([*ENTER, ("Identity", "d", "r"), *LEAVE]))
    secret = tmp_path / "secret"
    secret.write_bytes(b"\0" * 4)
    weights = proto.graph.initializer[0]
    weights.ClearField("raw_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    weights.external_data.add(key="location", value=str(secret))
    with pytest.raises(ModelError, match="save the model as one file"):
        load(proto.SerializeToString(), "m")


def test_sizes_are_checked_before_anything_is_allocated() -> None:
    proto = onnx.ModelProto.FromString(model([*ENTER, ("Identity", "d", "r"), *LEAVE]))
    proto.graph.initializer[0].dims.extend([1 << 40, 1 << 20])
    with pytest.raises(ModelError, match="bytes for"):
        load(proto.SerializeToString(), "m")


def test_unknown_runtime() -> None:
    with pytest.raises(UsageError, match="ort-fused"):
        load(b"", "m", "tflm")


def test_qonnx_models(models: Path) -> None:
    assert "a QONNX model" in complaints((models / "qonnx" / "TFC_2W2A.onnx").read_bytes())


def test_float_networks_of_the_zoo(models: Path) -> None:
    for name in ("mnist_conv_float", "alibaba_kws"):
        text = complaints((models / "qonnx" / f"{name}.onnx").read_bytes())
        assert "floating-point model" in text and "quantize_static" in text
