"""An ONNX file as plain Python: nodes, constants, inputs, outputs. Trusts nothing in it.

Sizes are checked against the bytes that are there before anything is allocated; data outside the
file ("external data") is refused, never opened.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, GraphProto, ModelProto, TensorProto

from hwgen.layers.onnx_operation import Operation
from hwgen.numeric.ranges import Range
from hwgen.support.errors import ModelError, UnsupportedError

MAX_NODES = 20_000
MAX_ELEMENTS = 1 << 22
"""Of one activation; far beyond any board that hwgen knows."""

_TYPES: dict[int, tuple[str, str]] = {
    TensorProto.FLOAT: ("float32", "float_data"),
    TensorProto.UINT8: ("uint8", "int32_data"),
    TensorProto.INT8: ("int8", "int32_data"),
    TensorProto.UINT16: ("uint16", "int32_data"),
    TensorProto.INT16: ("int16", "int32_data"),
    TensorProto.INT32: ("int32", "int32_data"),
    TensorProto.INT64: ("int64", "int64_data"),
    TensorProto.BOOL: ("bool", "int32_data"),
    TensorProto.DOUBLE: ("float64", "double_data"),
}
_INPUT_TYPES = {TensorProto.FLOAT: "float32", TensorProto.UINT8: "uint8", TensorProto.INT8: "int8"}


@dataclass(eq=False)
class Port:
    """A graph input: dims with batch 1. whole: what integers a float input holds, where the file says so."""

    name: str
    dims: tuple[int, ...]
    dtype: str
    whole: Range | None = None


@dataclass(eq=False)
class Model:
    """What a file says. constants: name -> array, or a text why it cannot be used.

    datatypes: names of QONNX's data types by tensor. complaints: inputs of a kind that hwgen has not."""

    nodes: list[Operation]
    constants: dict[str, NDArray | str]
    inputs: list[Port]
    outputs: list[str]
    datatypes: dict[str, str] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)


def parse(data: bytes) -> Model:
    """ModelError for what is no ONNX model, UnsupportedError for one that is far too large."""
    model = ModelProto()
    try:
        model.ParseFromString(data)
        return _model(model.graph)
    except (ModelError, UnsupportedError):
        raise
    except Exception as error:  # protobuf raises types of its own, which differ between its versions
        raise ModelError(f"is no ONNX model or is damaged ({type(error).__name__})") from error


def _model(graph: GraphProto) -> Model:
    if not graph.node:
        raise ModelError("is no ONNX model, or one without nodes")
    if len(graph.node) > MAX_NODES:
        raise UnsupportedError([f"{len(graph.node)} nodes; at most {MAX_NODES} are supported"])
    constants: dict[str, NDArray | str] = {_text(t.name): tensor_value(t) for t in graph.initializer}
    for sparse in graph.sparse_initializer:
        constants[_text(sparse.values.name)] = "is sparse"
    nodes = [
        Operation(
            i,
            _text(n.op_type),
            _domain(n.domain),
            _text(n.name),
            tuple(map(_text, n.input)),
            tuple(map(_text, n.output)),
            _attributes(n),
        )
        for i, n in enumerate(graph.node)
    ]
    complaints: list[str] = []
    inputs = [_port(v, complaints) for v in graph.input if v.name not in constants]
    if not graph.output:
        raise ModelError("has no outputs")
    outputs = [_text(v.name) for v in graph.output]
    return Model(nodes, constants, inputs, outputs, _datatypes(graph), complaints)


def _datatypes(graph: GraphProto) -> dict[str, str]:
    """QONNX keeps a tensor's data type as a quantisation annotation, `finn_datatype`."""
    return {
        _text(a.tensor_name): _text(p.value)
        for a in graph.quantization_annotation
        for p in a.quant_parameter_tensor_names
        if p.key == "finn_datatype"
    }


def _text(text: Any) -> str:
    """A name; protobuf hands out bytes where it is no UTF-8."""
    if not isinstance(text, str):
        raise ModelError("has a name that is no text")
    return text


def _domain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


def _port(value: Any, complaints: list[str]) -> Port:
    tensor = value.type.tensor_type
    if tensor.elem_type not in _INPUT_TYPES:
        kind = (
            TensorProto.DataType.Name(tensor.elem_type)
            if tensor.elem_type in _TYPES
            else "no tensor of numbers"
        )
        complaints.append(f"input {value.name} is {kind}; float32, uint8 and int8 are supported")
    dims = []
    for i, dim in enumerate(tensor.shape.dim):
        if dim.HasField("dim_value") and dim.dim_value > 0:
            dims.append(int(dim.dim_value))
        elif i == 0:
            dims.append(1)  # a batch size left open
        else:
            complaints.append(
                f"input {value.name} has the dynamic dimension {i} ({dim.dim_param or 'unnamed'}); "
                "export it with fixed sizes, only the batch may be open"
            )
            dims.append(1)
    if len(dims) < 2 or len(dims) > 6:
        complaints.append(
            f"input {value.name} has rank {len(dims)}; ranks 2 to 6 with the batch first are supported"
        )
    elif dims[0] != 1:
        complaints.append(f"input {value.name} has batch {dims[0]}; export with batch 1 or an open batch")
    elif prod(dims) > MAX_ELEMENTS:
        complaints.append(
            f"input {value.name} has {prod(dims)} elements; at most {MAX_ELEMENTS} are supported"
        )
    return Port(_text(value.name), tuple(dims), _INPUT_TYPES.get(tensor.elem_type, "float32"))


def _attributes(node: Any) -> dict[str, Any]:
    return {_text(a.name): _attribute(a) for a in node.attribute}


def _attribute(a: Any) -> Any:
    """Numbers, text, lists of integers, tensors; anything else as None."""
    if a.type == AttributeProto.INT:
        return int(a.i)
    if a.type == AttributeProto.FLOAT:
        return float(a.f)
    if a.type == AttributeProto.STRING:
        return a.s.decode("utf-8", "replace")
    if a.type == AttributeProto.INTS:
        return [int(v) for v in a.ints]
    if a.type == AttributeProto.FLOATS:
        return [float(v) for v in a.floats]
    if a.type == AttributeProto.TENSOR:
        return tensor_value(a.t)
    return None


def tensor_value(t: Any) -> NDArray | str:
    """A constant's array, or why hwgen cannot use it."""
    if t.data_location == TensorProto.EXTERNAL or t.external_data:
        raise ModelError(
            "keeps its data in another file", where=f"constant {t.name}", hint="save the model as one file"
        )
    if t.data_type not in _TYPES:
        known = t.data_type in TensorProto.DataType.values()
        return f"has type {TensorProto.DataType.Name(t.data_type) if known else t.data_type}"
    dtype, field = _TYPES[t.data_type]
    dims = [int(d) for d in t.dims]
    if len(dims) > 8 or any(d < 0 for d in dims):
        raise ModelError(f"has dimensions {dims[:9]}", where=f"constant {t.name}")
    size = prod(dims)
    wide = np.dtype(dtype)
    if t.HasField("raw_data"):
        if len(t.raw_data) != size * wide.itemsize:
            raise ModelError(
                f"has {len(t.raw_data)} bytes for {size} elements of {dtype}", where=f"constant {t.name}"
            )
        return np.frombuffer(t.raw_data, dtype=wide.newbyteorder("<")).astype(wide).reshape(dims)
    values = getattr(t, field)
    if len(values) != size:
        raise ModelError(f"has {len(values)} values for {size} elements", where=f"constant {t.name}")
    array = np.array(values, dtype=np.float64 if dtype.startswith("float") else np.int64)
    with np.errstate(over="ignore"):
        return array.astype(wide).reshape(dims)
