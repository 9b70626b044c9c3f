"""Damaged QONNX files: only hwgen's own errors (or success) come out, quickly and in little memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import onnx
from onnx import helper
from survival import megabytes, outcomes
from test_fuzz_onnx import damage_bytes, damage_fields, finish

from hwgen.frontend.qonnx import load

MUTATIONS, MEGABYTES = 1500, 500
QONNX = "qonnx.custom_op.general"


def qonnx_model() -> onnx.ModelProto:
    """A normalised input, all quantisers, batch normalisation, pools, a residual addition, the largest."""
    rng = np.random.default_rng(0)
    nodes: list[onnx.NodeProto] = []
    constants: dict[str, np.ndarray] = {}

    def const(value: object, dtype: str = "float32") -> str:
        name = f"c{len(constants)}"
        constants[name] = np.asarray(value, dtype=dtype)
        return name

    def node(kind: str, *inputs: str, domain: str = "", **attributes: object) -> str:
        nodes.append(helper.make_node(kind, inputs, [f"t{len(nodes)}"], domain=domain, **attributes))
        return f"t{len(nodes) - 1}"

    def quant(x: str, scale: object, bits: float, signed: int = 1, zero: float = 0.0) -> str:
        more = {"signed": signed, "narrow": 0, "rounding_mode": "ROUND"}
        return node("Quant", x, const(scale), const(zero), const(bits), domain=QONNX, **more)

    def bipolar(x: str) -> str:
        return node("BipolarQuant", x, const(0.5), domain=QONNX)

    x = node("Div", node("Sub", "x", const(rng.uniform(0, 1, (1, 2, 1, 1)))), const(0.25))
    x = quant(x, 0.5, 4.0)
    w = quant(const(rng.normal(0, 1, (4, 2, 3, 3))), np.full((4, 1, 1, 1), 0.5), 2.0)
    y = node("Conv", x, w, pads=[1, 1, 1, 1])
    y = node("BatchNormalization", y, *(const(rng.uniform(0.5, 1, 4)) for _ in range(4)))
    a = quant(node("Relu", y), 0.75, 3.0, signed=0)
    b = node("Conv", bipolar(y), bipolar(const(rng.normal(0, 1, (4, 1, 3, 3)))), group=4, pads=[0, 1, 2, 1])
    b = quant(b, np.full((1, 4, 1, 1), 0.5), 3.0, zero=1.0)
    y = quant(node("Add", a, b), 0.75, 4.0)
    y = node("MaxPool", y, kernel_shape=[2, 2], strides=[2, 1])
    y = node("Mul", node("AveragePool", y, kernel_shape=[2, 2]), const(4.0))
    y = node("Trunc", y, *(const(v) for v in (0.75, 0.0, 6.0, 4.0)), domain=QONNX, rounding_mode="FLOOR")
    size = node("Unsqueeze", node("Gather", node("Shape", y), const(0, "int64")), axes=[0])
    y = node("Reshape", y, node("Concat", size, const([-1], "int64"), axis=0))
    y = node("MatMul", y, const(rng.integers(-1, 2, (32, 5))))
    t = const(np.sort(rng.normal(0, 3, (5, 3)), axis=1))
    y = node("MultiThreshold", y, t, domain=QONNX, out_dtype="UINT2", out_bias=-1.0, data_layout="NC")
    y = node("Add", y, node("Pow", node("Neg", const([4.0])), const([2.0])))
    y = node("Gemm", y, quant(const(rng.normal(0, 1, (3, 5))), 0.5, 2.0), const(np.ones(3)), transB=1)
    nodes.append(helper.make_node("TopK", [y, const([1], "int64")], ["v", "i"], axis=-1, largest=1))
    model = finish(nodes, constants, "i", "float32", ["n", 2, 6, 6])
    for name, datatype in (("x", "FLOAT32"), ("c30", "INT2")):
        entry = onnx.StringStringEntryProto(key="finn_datatype", value=datatype)
        annotation = onnx.TensorAnnotation(tensor_name=name, quant_parameter_tensor_names=[entry])
        model.graph.quantization_annotation.append(annotation)
    return model


BASE = qonnx_model()


def test_the_undamaged_model_loads() -> None:
    graph = load(BASE.SerializeToString(), "fuzz")
    assert {node.kind for node in graph.nodes} >= {"conv", "depthwise", "add", "maxpool", "sumpool", "argmax"}


def damaged(seed: int) -> Iterator[bytes]:
    """Endless: every fourth file by its bytes, the others by their fields."""
    rng = np.random.default_rng(seed)
    for i in itertools.count():
        yield (damage_fields if i % 4 else damage_bytes)(BASE, rng)


def test_damaged_files_end_in_an_error_of_ours_or_load() -> None:
    found = outcomes(lambda data: load(data, "fuzz"), damaged(0), MUTATIONS)
    assert MUTATIONS // 100 < found["ok"] < MUTATIONS // 2


def test_memory_stays_bounded() -> None:
    assert megabytes(lambda data: load(data, "fuzz"), damaged(3), 200) < MEGABYTES
