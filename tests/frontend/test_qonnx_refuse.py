"""What the QONNX front end refuses, all at once, and how it says so."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from hwgen.frontend.load import load_graph
from hwgen.frontend.qonnx import held, load
from hwgen.numeric.ranges import Range
from hwgen.support.errors import ModelError, UnsupportedError, UsageError

QONNX = "qonnx.custom_op.general"
CONSTANTS = {
    "one": np.float32(1), "zero": np.float32(0), "two": np.float32(2), "nine": np.float32(9),
    "half": np.float32(0.5), "minus": np.float32(-1), "per": np.float32([2, 3, 2, 2]), "wide": np.float32(32),
    "w": np.float32([[1, -1], [1, 1], [-1, -1], [0, 1]]), "f": np.float32([[0.1, 2], [1, 1], [3, 1], [2, 1]]),
    "nan": np.float32([[np.nan]]), "t3": np.ones((3, 1), np.float32),
    "blocks": np.float32([[1, 2]] * 3 + [[2, 3]]),
    "k2": np.array([2]),
}  # fmt: skip


def model(
    *nodes: Any, out: str = "y", annotations: dict[str, str] | None = None, shape: Any = (1, 4)
) -> bytes:
    """Nodes (kind, inputs, output[, attributes]); quantisers get QONNX's domain."""
    made = []
    for kind, inputs, outputs, *more in nodes:
        attributes: dict[str, Any] = {}
        if kind == "Quant":
            attributes = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
        if kind == "MultiThreshold":
            attributes = {"out_dtype": "UINT1"}
        if kind in ("Quant", "BipolarQuant", "Trunc", "MultiThreshold", "FloatQuant"):
            attributes["domain"] = QONNX
        attributes |= more[0] if more else {}
        made.append(helper.make_node(kind, inputs.split(), outputs.split(), **attributes))
    graph = helper.make_graph(
        made,
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [onnx.ValueInfoProto(name=out)],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in CONSTANTS.items()],
    )
    for name, datatype in (annotations or {}).items():
        entry = onnx.StringStringEntryProto(key="finn_datatype", value=datatype)
        graph.quantization_annotation.append(
            onnx.TensorAnnotation(tensor_name=name, quant_parameter_tensor_names=[entry])
        )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)]).SerializeToString()


ENTER = ("Quant", "x one zero two", "a")
DENSE = ("MatMul", "a w", "b")


def complaints(data: bytes) -> str:
    with pytest.raises(UnsupportedError) as error:
        load(data, "m")
    return str(error.value)


def test_everything_unsupported_is_listed_at_once() -> None:
    mode = {"rounding_mode": "STOCHASTIC"}
    text = complaints(
        model(
            ENTER,
            ("Quant", "a one zero two", "b", mode),
            ("Quant", "a one zero nine", "c"),
            ("Quant", "a one zero half", "d"),
            ("MatMul", "a f", "e"),
            ("Add", "d e", "z"),
            ("Add", "b c", "g"),
            ("Add", "g z", "y"),
        )
    )
    assert "4 unsupported things" in text
    assert "rounding_mode STOCHASTIC; ROUND, HALF_EVEN, CEIL, FLOOR, UP, DOWN, HALF_UP, HALF_DOWN are" in text
    assert "a bit width of 9; 1 to 8 are supported" in text
    assert "are no integers" in text
    assert "the weights (input 1) are float; quantise them" in text


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([ENTER, DENSE, ("FloatQuant", "b one", "c"), ("Erf", "c", "y")], "2 unsupported things"),
        ([ENTER, DENSE, ("Quant", "b one zero per", "y")], "bit widths that differ between channels"),
        ([("Quant", "x per zero two", "a"), DENSE, ("Relu", "b", "y")], "scale per channel"),
        ([("Relu", "x", "a"), DENSE, ("BipolarQuant", "b one", "y")], "quantise"),
        ([ENTER, DENSE, ("MatMul", "b w", "y")], "quantise and dequantise it first"),
        ([ENTER, ("TopK", "a k2", "v y")], "TopK with k = 1 is supported"),
        ([ENTER, ("Quant", "x two zero two", "b"), ("Add", "a b", "y")], "quantised in two different ways"),
        (
            [ENTER, ("Quant", "w blocks zero two", "q"), ("MatMul", "a q", "y")],
            "quantised along several axes",
        ),
    ],
)
def test_refusals(nodes: list[Any], message: str) -> None:
    assert message in complaints(model(*nodes))


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([("Quant", "x minus zero two", "y")], "a scale is not a positive number"),
        ([ENTER, DENSE, ("MultiThreshold", "b nan", "y")], "no numbers"),
        ([ENTER, ("MultiThreshold", "a t3", "y")], r"thresholds of \(3, 1\) for 4 channels"),
        ([ENTER, ("MatMul", "a one", "y")], "weights of rank 0"),
        ([("Quant", "x one zero", "y")], "input 3 is missing"),
    ],
)
def test_contradictions(nodes: list[Any], message: str) -> None:
    with pytest.raises((ModelError, UnsupportedError), match=message):
        load(model(*nodes), "m")


def test_annotations_that_the_values_contradict_are_listed_at_once() -> None:
    claims = {"w": "BIPOLAR", "f": "INT4", "per": "BINARY", "t3": "TERNARY"}
    with pytest.raises(ModelError) as error:
        load(model(ENTER, DENSE, ("BipolarQuant", "b one", "y"), annotations=claims), "m")
    text = str(error.value)
    assert "w is annotated BIPOLAR but holds zeros" in text
    assert "f is annotated INT4 but holds numbers that are no integers" in text
    assert "per is annotated BINARY but holds 2..3" in text
    assert "t3" not in text


def test_wide_annotated_inputs_are_refused() -> None:
    assert "input x is INT32" in complaints(model(ENTER, ("Relu", "a", "y"), annotations={"x": "INT32"}))


def test_data_types() -> None:
    assert [held(name) for name in ("UINT8", "INT3", "BIPOLAR", "FLOAT32", "INT", "SCALEDINT<8>")] == [
        Range(0, 255), Range(-4, 3), Range(-1, 1), None, None, None
    ]  # fmt: skip


def test_zero_padding_of_a_grid_without_zero() -> None:
    """Activations whose floats never reach 0 on a common unit cannot be padded."""
    kernel = helper.make_node(
        "Constant", [], ["k"], value=numpy_helper.from_array(np.ones((1, 1, 3, 3), "f4"))
    )
    data = model(
        ("Quant", "x one zero two", "a"),
        ("Add", "a third", "b"),
        ("Conv", "b k", "y", {"pads": [1, 1, 1, 1]}),
        shape=(1, 1, 4, 4),
    )
    proto = onnx.ModelProto.FromString(data)
    proto.graph.node.insert(0, kernel)
    proto.graph.initializer.append(numpy_helper.from_array(np.float32(np.sqrt(0.1)), "third"))
    assert "no multiples of one unit" in complaints(proto.SerializeToString())


def test_runtimes(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(model(ENTER, DENSE, ("BipolarQuant", "b one", "y")))
    assert load_graph(path).runtime == "qonnx"
    assert load_graph(path, "qonnx").runtime == "qonnx"
    with pytest.raises(UsageError, match="runs in the arithmetic of qonnx, not of ort"):
        load_graph(path, "ort")


def test_gz_files(tmp_path: Path) -> None:
    data = model(ENTER, DENSE, ("BipolarQuant", "b one", "y"))
    path = tmp_path / "net.onnx.gz"
    path.write_bytes(gzip.compress(data))
    assert load_graph(path).name == "net"
    path.write_bytes(gzip.compress(data)[:-20])
    with pytest.raises(ModelError, match=r"damaged \.gz file"):
        load_graph(path)


def test_real_models_out_of_reach_list_all_their_operators(models: Path) -> None:
    wanted = {
        "espcn_nn_resize_quant": ["node 17 Resize (Resize_42): hwgen has no such operation"],
        "qonnx_act_weight_fp8": ["2 unsupported things", "node 0 FloatQuant", "node 1 FloatQuant"],
        "finn_residual_testcase": ["6 unsupported things", "AddStreams_Batch", "finn.custom_op.fpgadataflow"],
        "sdp": ["a floating-point model", "onnx::Reshape_2 has batch 64"],
        "alibaba_kws": ["a floating-point model"],
        "alibaba_vww": ["a floating-point model"],
    }
    for name, texts in wanted.items():
        with pytest.raises(UnsupportedError) as error:
            load_graph(models / "qonnx" / f"{name}.onnx")
        assert all(text in str(error.value) for text in texts), (name, str(error.value))
