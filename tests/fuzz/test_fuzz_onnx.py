"""Damaged .onnx files: only hwgen's own errors (or success) come out, quickly and in little memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import onnx
import pytest
from numpy.random import Generator
from onnx import helper, numpy_helper
from survival import megabytes, outcomes

from hwgen.frontend.onnx_qdq import load
from hwgen.support.errors import ModelError

MUTATIONS, MEGABYTES = 3000, 500
NUMBERS = [0, 1, -1, 2, 3, 7, 255, 1 << 16, 1 << 24, (1 << 31) - 1, -(1 << 31), 1 << 40, -(1 << 62)]
REALS = [0.0, -1.0, 1e-45, 1e-38, 1e30, float("inf"), float("nan"), 0.1]


def constant(rng: Generator, *shape: int, dtype: str = "int8") -> np.ndarray:
    return rng.integers(-9, 9, shape).astype(dtype)


def qdq_model() -> onnx.ModelProto:
    """Most operations between Dequantize and Quantize."""
    rng = np.random.default_rng(0)
    nodes, constants = [], {}

    def const(value: np.ndarray | float | list[int], dtype: str | None = None) -> str:
        name = f"c{len(constants)}"
        constants[name] = np.asarray(value, dtype=dtype)
        return name

    def node(kind: str, *inputs: str, **attributes: object) -> str:
        nodes.append(helper.make_node(kind, inputs, [f"t{len(nodes)}"], **attributes))
        return f"t{len(nodes) - 1}"

    def qdq(x: str, scale: float, zero: int = 3) -> str:
        p = const(scale, "float32"), const(zero, "int8")
        return node("DequantizeLinear", node("QuantizeLinear", x, *p), *p)

    def weights(*shape: int) -> str:
        scales = np.full(shape[0], 0.03, dtype="float32")
        return node("DequantizeLinear", const(constant(rng, *shape)), const(scales), axis=0)

    x = qdq(node("Transpose", "x", perm=[0, 3, 1, 2]), 0.1)
    a = qdq(node("Relu", node("Conv", x, weights(4, 2, 3, 3), pads=[1, 1, 1, 1])), 0.2)
    b = node("Conv", a, weights(4, 1, 3, 3), auto_pad="SAME_UPPER", group=4, dilations=[1, 1])
    b = qdq(node("Clip", b, const(0.0, "float32"), const(6.0, "float32")), 0.3)
    y = qdq(node("Add", a, b), 0.4)
    y = qdq(node("Pad", y, const([0, 0, 1, 0, 0, 0, 0, 1], "int64"), const(0.0, "float32")), 0.4)
    y = node("MaxPool", y, kernel_shape=[2, 2], strides=[2, 1])
    y = node("BatchNormalization", y, *(const(rng.uniform(0.5, 1, 4).astype("float32")) for _ in range(4)))
    y = qdq(y, 0.1)
    y = qdq(node("AveragePool", y, kernel_shape=[2, 2], pads=[0, 1, 0, 0], ceil_mode=1), 0.1)
    y = qdq(node("ReduceMean", y, axes=[2, 3], keepdims=1), 0.1)
    size = node("Unsqueeze", node("Gather", node("Shape", y), const(0, "int64")), axes=[0])
    size = node("Concat", size, const([-1], "int64"), axis=0)
    y = node("Squeeze", node("Unsqueeze", node("Reshape", y, size), const([2], "int64")), const([2], "int64"))
    y = node("Gemm", y, weights(3, 4), const(np.ones(3, dtype="float32")), transB=1)
    y = node("ArgMax", qdq(node("Mul", y, const(2.0, "float32")), 0.1), axis=1)
    return finish(nodes, constants, y, "float32", ["n", 6, 6, 2])


def qlinear_model() -> onnx.ModelProto:
    """QLinear operations on integers."""
    rng = np.random.default_rng(1)
    constants = {"s": np.float32(0.1), "z": np.uint8(3), "w": constant(rng, 4, 2, 3, 3, dtype="uint8")}
    constants |= {"b": constant(rng, 4, dtype="int32"), "v": constant(rng, 4, 3, dtype="uint8")}
    constants |= {"c": constant(rng, 3, dtype="int32"), "d": constant(rng, 3, 3, dtype="uint8")}

    def node(
        kind: str, inputs: str, out: str, domain: str = "com.microsoft", **more: object
    ) -> onnx.NodeProto:
        return helper.make_node(kind, inputs.split(), [out], domain=domain, **more)

    nodes = [
        node("QLinearConv", "x s z w s z s z b", "a", "", strides=[2, 1], pads=[1, 0, 1, 1]),
        node("QLinearAdd", "a s z a s z s z", "e"),
        node("QLinearAveragePool", "e s z s z", "f", kernel_shape=[2, 2], count_include_pad=1),
        node("QLinearGlobalAveragePool", "f s z s z", "g", channels_last=0),
        node("Flatten", "g", "h", ""),
        node("QGemm", "h s z v s z c s z", "i", alpha=1.0),
        node("QLinearMatMul", "i s z d s z s z", "j", ""),
    ]
    return finish(nodes, constants, "j", "uint8", [1, 2, 7, 6])


def finish(nodes: list, constants: dict, out: str, dtype: str, shape: list) -> onnx.ModelProto:
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = helper.make_graph(
        nodes,
        "fuzz",
        [helper.make_tensor_value_info("x", kind, shape)],
        [onnx.ValueInfoProto(name=out)],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def damage_bytes(model: onnx.ModelProto, rng: Generator) -> bytes:
    """Flipped bytes, a cut, a moved block."""
    data = bytearray(model.SerializeToString())
    kind = rng.integers(4)
    if kind == 0:
        return bytes(data[: rng.integers(len(data))])
    if kind == 1:
        a, b, n = rng.integers(len(data), size=3)
        data[a : a + n % 64] = data[b : b + n % 64]
    for _ in range(int(rng.integers(1, 6))):
        data[rng.integers(len(data))] = rng.integers(256)
    return bytes(data)


def damage_fields(model: onnx.ModelProto, rng: Generator) -> bytes:
    """A well-formed file that says other things."""
    broken = onnx.ModelProto()
    broken.CopyFrom(model)
    for _ in range(int(rng.integers(1, 4))):
        FIELDS[rng.integers(len(FIELDS))](broken.graph, rng)
    return broken.SerializeToString()


def pick(items: object, rng: Generator) -> object:
    return items[rng.integers(len(items))]


def change_attribute(graph: onnx.GraphProto, rng: Generator) -> None:
    attributes = [a for n in graph.node for a in n.attribute]
    if not attributes:
        return
    a = pick(attributes, rng)
    number = pick(NUMBERS, rng)
    if a.ints:
        a.ints[rng.integers(len(a.ints))] = number
    elif a.type == onnx.AttributeProto.INT:
        a.i = number
    else:
        a.type = int(rng.integers(0, 15))
    if rng.random() < 0.1:
        a.ints.append(number)


def change_tensor(graph: onnx.GraphProto, rng: Generator) -> None:
    t = pick(graph.initializer, rng)
    kind = rng.integers(5)
    if kind == 0 and t.dims:
        t.dims[rng.integers(len(t.dims))] = pick(NUMBERS, rng)
    elif kind == 1:
        t.data_type = int(rng.integers(-1, 30))
    elif kind == 2:
        t.CopyFrom(numpy_helper.from_array(np.float32(pick(REALS, rng)), t.name))
    elif kind == 3:
        array = rng.integers(-128, 127, rng.integers(0, 5, rng.integers(0, 5)))
        t.CopyFrom(
            numpy_helper.from_array(array.astype(pick(["int8", "uint8", "int64", "int32"], rng)), t.name)
        )
    else:
        t.data_location = onnx.TensorProto.EXTERNAL


def change_wire(graph: onnx.GraphProto, rng: Generator) -> None:
    names = [name for n in graph.node for name in n.output] + [t.name for t in graph.initializer] + ["x", ""]
    n = pick(graph.node, rng)
    if n.input and rng.random() < 0.8:
        n.input[rng.integers(len(n.input))] = pick(names, rng)
    elif n.output:
        n.output[0] = pick(names, rng)


def change_node(graph: onnx.GraphProto, rng: Generator) -> None:
    kind = rng.integers(4)
    i = int(rng.integers(len(graph.node)))
    if kind == 0 and len(graph.node) > 1:
        del graph.node[i]
    elif kind == 1:
        graph.node[i].op_type = pick(graph.node, rng).op_type
    elif kind == 2:
        del graph.node[i].input[int(rng.integers(0, 3)) :]
    else:
        del graph.node[i].attribute[:]


def change_input(graph: onnx.GraphProto, rng: Generator) -> None:
    if not graph.input:
        return
    tensor = graph.input[0].type.tensor_type
    if rng.random() < 0.3:
        tensor.elem_type = int(rng.integers(0, 20))
    elif tensor.shape.dim:
        pick(tensor.shape.dim, rng).dim_value = pick(NUMBERS, rng)


FIELDS: list[Callable[[onnx.GraphProto, Generator], None]] = [
    change_attribute,
    change_attribute,
    change_tensor,
    change_tensor,
    change_wire,
    change_node,
    change_input,
]


BASES = [qdq_model(), qlinear_model()]


def test_the_undamaged_models_load() -> None:
    assert len(load(qdq_model().SerializeToString(), "fuzz").nodes) >= 8
    assert len(load(qlinear_model().SerializeToString(), "fuzz").nodes) >= 6


def damaged(seed: int) -> Iterator[bytes]:
    """Endless: both models in turn, every fourth file by its bytes, the others by their fields."""
    rng = np.random.default_rng(seed)
    for i in itertools.count():
        yield (damage_fields if i % 4 else damage_bytes)(BASES[i % 2], rng)


def test_damaged_files_end_in_an_error_of_ours_or_load() -> None:
    runtimes = itertools.cycle(["ort", "ort", "ort-fused", "ort-fused"])
    found = outcomes(lambda data: load(data, "fuzz", next(runtimes)), damaged(0), MUTATIONS)
    assert MUTATIONS // 100 < found["ok"] < MUTATIONS // 2


def test_memory_stays_bounded() -> None:
    assert megabytes(lambda data: load(data, "fuzz"), damaged(3), 200) < MEGABYTES


@pytest.mark.parametrize("data", [b"", b"\0" * 64, b"TFL3" * 9, b"\x0a" * 100, bytes(range(256))])
def test_other_files_are_no_models(data: bytes) -> None:
    with pytest.raises(ModelError, match="ONNX"):
        load(data, "x")
