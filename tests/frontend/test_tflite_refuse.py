"""What hwgen refuses in a .tflite file: everything at once, with the place, and without work done."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hwgen.compress.tflite_writer import Quantization, TensorRef, TfliteWriter
from hwgen.frontend import tflite
from hwgen.frontend.load import load_graph
from hwgen.support.errors import ModelError, UnsupportedError, UsageError

Q = Quantization(0.1, 3)


def refused(net: TfliteWriter, out: TensorRef) -> tuple[str, ...]:
    net.output(out)
    with pytest.raises(UnsupportedError) as caught:
        tflite.load(net.finish(), "model")
    return caught.value.items


def test_all_complaints_come_at_once() -> None:
    net = TfliteWriter()
    x = net.input((2, 4, 4, 3), Q)
    y = net.operation("MUL", [x, x], x.shape, Q, "MulOptions")
    y = net.pool("MAX", y, (2, 2), (2, 2), activation="TANH")
    items = refused(net, net.operation("ELU", [y], y.shape, Q))
    text = " | ".join(items)
    assert "model input tensor 0 (tensor_0) has batch 2" in text
    assert "op 0 MUL making tensor 1 (tensor_1): hwgen has no such operation" in text
    assert "op 1 MAX_POOL_2D: fused activation TANH" in text
    assert "op 2 ELU" in text


def test_float_model() -> None:
    net = TfliteWriter("float32")
    x = net.input((1, 4), None)
    items = refused(net, net.operation("RELU", [x], (1, 4), None))
    assert items == ("a floating-point model",)


def test_float_operation_behind_the_integers() -> None:
    net = TfliteWriter()
    x = net.input((1, 4), Q)
    y = net.dequantize(net.softmax(x))
    items = refused(net, net.operation("LOG_SOFTMAX", [y], (1, 4), None, dtype="float32"))
    assert any("LOG_SOFTMAX" in item and "computes with floats" in item for item in items)


def test_float_input_that_is_not_quantised_at_once() -> None:
    net = TfliteWriter()
    x = net.input((1, 4), None, "float32")
    y = net.operation("RELU", [x], (1, 4), None, dtype="float32")
    items = refused(net, net.elementwise("QUANTIZE", y, Q))
    assert any("not quantised at once" in item for item in items)


def test_unused_input_and_nothing_to_do() -> None:
    net = TfliteWriter()
    net.input((1, 4), Q, name="spare")
    x = net.input((1, 4), Q)
    assert "model input tensor 0 (spare) is not used by the model" in refused(net, net.softmax(x))
    net = TfliteWriter()
    x = net.input((1, 4), Q)
    assert refused(net, net.reshape(x, (1, 1, 4))) == ("the model computes nothing",)


def test_weights_that_the_runtime_would_misread() -> None:
    net = TfliteWriter()
    x = net.input((1, 4, 4, 3), Q)
    y = net.conv(x, np.ones((2, 1, 1, 3)), [0.1], None, Q, weight_zero_point=5)
    assert any("have a zero point" in item for item in refused(net, y))


def test_accumulators_beyond_int32_have_no_exact_result() -> None:
    net = TfliteWriter()
    x = net.input((1, 2), Q)
    bias = np.full(1, (1 << 31) - 10)
    items = refused(net, net.dense(x, np.ones((1, 2)), [0.1], bias, Q))
    assert any("leave int32" in item for item in items)


def test_broadcast_and_channel_padding() -> None:
    net = TfliteWriter()
    x = net.input((1, 4, 4, 3), Q)
    y = net.add(x, net.mean(x, Q), Q)
    items = refused(net, net.pad(y, [[0, 0], [0, 0], [0, 0], [1, 0]]))
    assert any("broadcasting" in item for item in items)
    assert any("padding of batch or channels" in item for item in items)


def test_wrong_shape_in_the_file_is_an_error_of_the_model() -> None:
    net = TfliteWriter()
    x = net.input((1, 4, 4, 3), Q)
    y = net.operation(
        "MAX_POOL_2D", [x], (1, 3, 2, 3), Q, "Pool2DOptions",
        Padding=1, StrideH=2, StrideW=2, FilterHeight=2, FilterWidth=2,
    )  # fmt: skip
    net.output(y)
    with pytest.raises(ModelError, match=r"the file says shape \(1, 3, 2, 3\)"):
        tflite.load(net.finish(), "model")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("coral/split_concat", "SPLIT"),
        ("coral/keras_lstm_mnist_ptq", "UNIDIRECTIONAL_SEQUENCE_LSTM"),
        ("tinyengine/mcunetv2_large", "op 158 TRANSPOSE"),
        ("tinyengine/ptq_mnist_lenet-300-100", "LOG_SOFTMAX"),
        ("tflite_support/dilated_conv", "floating-point"),
        ("tflite_micro/hello_world_float", "floating-point"),
        ("tflite_micro/audio_preprocessor_int8", "CUSTOM SignalWindow"),
        ("tflite_micro/trained_lstm_int8", "UNIDIRECTIONAL_SEQUENCE_LSTM"),
    ],
)
def test_other_peoples_models(models: Path, name: str, said: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        load_graph(models / f"{name}.tflite")
    assert any(said in item for item in caught.value.items)


def test_paths_and_runtimes(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        load_graph(tmp_path / "missing.tflite")
    with pytest.raises(ModelError, match="a folder"):
        load_graph(tmp_path)
    other = tmp_path / "x.tflite"
    other.write_bytes(b"\0" * 100)
    with pytest.raises(ModelError, match="no TFL3 mark"):
        load_graph(other)
    with pytest.raises(UsageError, match="runtime 'tensorflow'"):
        tflite.load(b"", "x", "tensorflow")
