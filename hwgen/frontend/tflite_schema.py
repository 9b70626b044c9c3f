"""The parts of a .tflite file that hwgen reads, as plain data; nothing is trusted.

Source of field numbers and types: tensorflow/compiler/mlir/lite/schema/schema.fbs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import prod

import numpy as np
from numpy.typing import NDArray

from hwgen.frontend.flatbuffer import Table
from hwgen.layers.tflite import Operand, Operation
from hwgen.support.errors import ModelError, UnsupportedError

MAX_FILE = 64 << 20
MAX_TENSORS, MAX_OPERATORS, MAX_OPERANDS = 20_000, 5_000, 64
MAX_ELEMENTS, MAX_SCALES, MAX_RANK = 1 << 24, 1 << 16, 8
PACKED = "packed"

_TYPES = {
    0: ("FLOAT32", "f4"),
    1: ("FLOAT16", "f2"),
    2: ("INT32", "i4"),
    3: ("UINT8", "u1"),
    4: ("INT64", "i8"),
    5: ("STRING", ""),
    6: ("BOOL", "u1"),
    7: ("INT16", "i2"),
    8: ("COMPLEX64", "c8"),
    9: ("INT8", "i1"),
    10: ("FLOAT64", "f8"),
    11: ("COMPLEX128", "c16"),
    12: ("UINT64", "u8"),
    13: ("RESOURCE", ""),
    14: ("VARIANT", ""),
    15: ("UINT32", "u4"),
    16: ("UINT16", "u2"),
    17: ("INT4", PACKED),
    18: ("BFLOAT16", ""),
}

_ZERO_LIMITS = {"INT8": (-128, 127), "INT4": (-128, 127), "UINT8": (0, 255), "INT16": (-32768, 32767)}

_POOL = (
    ("padding", "i8", 0),
    ("stride_w", "i32", 0),
    ("stride_h", "i32", 0),
    ("filter_w", "i32", 0),
    ("filter_h", "i32", 0),
    ("fused_activation", "i8", 0),
)
OPTIONS: dict[str, tuple[tuple[str, str, int | float | bool], ...]] = {
    "CONV_2D": (
        ("padding", "i8", 0),
        ("stride_w", "i32", 0),
        ("stride_h", "i32", 0),
        ("fused_activation", "i8", 0),
        ("dilation_w", "i32", 1),
        ("dilation_h", "i32", 1),
    ),
    "DEPTHWISE_CONV_2D": (
        ("padding", "i8", 0),
        ("stride_w", "i32", 0),
        ("stride_h", "i32", 0),
        ("depth_multiplier", "i32", 0),
        ("fused_activation", "i8", 0),
        ("dilation_w", "i32", 1),
        ("dilation_h", "i32", 1),
    ),
    "FULLY_CONNECTED": (
        ("fused_activation", "i8", 0),
        ("weights_format", "i8", 0),
        ("keep_num_dims", "bool", False),
    ),
    "AVERAGE_POOL_2D": _POOL,
    "MAX_POOL_2D": _POOL,
    "ADD": (("fused_activation", "i8", 0),),
    "CONCATENATION": (("axis", "i32", 0), ("fused_activation", "i8", 0)),
    "SOFTMAX": (("beta", "f32", 0.0),),
    "MEAN": (("keep_dims", "bool", False),),
    "ARG_MAX": (("output_type", "i8", 0),),
    "PACK": (("values_count", "i32", 0), ("axis", "i32", 0)),
    "STRIDED_SLICE": (
        ("begin_mask", "i32", 0),
        ("end_mask", "i32", 0),
        ("ellipsis_mask", "i32", 0),
        ("new_axis_mask", "i32", 0),
        ("shrink_axis_mask", "i32", 0),
        ("offset", "bool", False),
    ),
}
"""Fields of each operator's options, in the schema's order: name, type, default."""


@dataclass(eq=False)
class Model:
    """A file's only subgraph."""

    tensors: list[Operand]
    operations: list[Operation]
    inputs: list[Operand]
    outputs: list[Operand]


@cache
def operator_names() -> dict[int, str]:
    """Name of each builtin operator code."""
    from tflite.BuiltinOperator import BuiltinOperator

    return {code: name for name, code in vars(BuiltinOperator).items() if isinstance(code, int)}


def parse(data: bytes) -> Model:
    """Read a file. Raises ModelError for a damaged one, UnsupportedError for several subgraphs."""
    if len(data) > MAX_FILE:
        raise ModelError(f"{len(data)} bytes are more than the {MAX_FILE} that hwgen reads")
    if len(data) < 8 or data[4:8] != b"TFL3":
        raise ModelError("not a .tflite file (no TFL3 mark)", hint="give a TensorFlow Lite model")
    root = Table.root(data)
    graphs = list(root.tables(2, 1000, "subgraphs"))
    if not graphs:
        raise ModelError("the file has no subgraph")
    if len(graphs) > 1:
        raise UnsupportedError(
            [f"{len(graphs)} subgraphs (control flow)"], hint="export a model without branches"
        )
    buffers = list(root.tables(4, MAX_TENSORS, "buffers"))
    codes = [_operator_code(table) for table in root.tables(1, 1000, "operator codes")]
    (graph,) = graphs
    tensors = [_tensor(i, table, buffers) for i, table in enumerate(graph.tables(0, MAX_TENSORS, "tensors"))]
    operations = [
        _operation(i, table, codes, tensors)
        for i, table in enumerate(graph.tables(3, MAX_OPERATORS, "operators"))
    ]
    inputs = _operands(graph.array(1, "i4"), tensors, "model inputs")
    outputs = _operands(graph.array(2, "i4"), tensors, "model outputs")
    present = [[operand for operand in side if operand is not None] for side in (inputs, outputs)]
    if not present[0] or not present[1]:
        raise ModelError("the model has no inputs or no outputs")
    return Model(tensors, operations, *present)


def _operator_code(table: Table) -> tuple[str, int]:
    """(name, version). Codes up to 127 may be in the old 8-bit field alone."""
    code = max(table.integer(0, "i8"), table.integer(3, "i32"))
    custom = table.text(1)
    name = operator_names().get(code, f"operator {code}")
    return (f"CUSTOM {custom}" if name == "CUSTOM" else name), table.integer(2, "i32", 1)


def _tensor(index: int, table: Table, buffers: list[Table]) -> Operand:
    where = f"tensor {index}"
    shape, signature = _dimensions(table, 0, where), _dimensions(table, 7, where)
    if any(n < 0 for n in shape) or prod(shape) > MAX_ELEMENTS:
        raise ModelError(f"impossible shape {shape}", where=where)
    dtype, form = _TYPES.get(table.integer(1, "i8"), ("an unknown type", ""))
    number = table.integer(2, "u32")
    if number >= max(len(buffers), 1):
        raise ModelError(f"buffer {number} of {len(buffers)}", where=where)
    raw = buffers[number].array(0, "u1") if buffers else np.zeros(0, dtype=np.uint8)
    scales, zeros, axis = _quantization(table.table(4), dtype, where)
    return Operand(
        index=index,
        name=table.text(3),
        dtype=dtype,
        shape=shape,
        scales=scales,
        zero_points=zeros,
        axis=axis,
        data=_constant(raw, shape, form, where) if raw.size else None,
        dynamic=any(n < 0 for n in signature[1:]) and len(signature) == len(shape),
    )


def _dimensions(table: Table, field: int, where: str) -> tuple[int, ...]:
    values = table.array(field, "i4")
    if values.size > MAX_RANK:
        raise ModelError(f"rank {values.size}", where=where)
    return tuple(values.tolist())


def _quantization(table: Table | None, dtype: str, where: str) -> tuple[NDArray, NDArray, int]:
    """(scales, zero points, quantised dimension), checked against the type."""
    if table is None:
        return np.zeros(0, np.float32), np.zeros(0, np.int64), 0
    scales = table.array(2, "f4").astype(np.float32, copy=False)
    zeros = table.array(3, "i8").astype(np.int64, copy=False)
    if max(scales.size, zeros.size) > MAX_SCALES:
        raise ModelError(f"{max(scales.size, zeros.size)} scales are more than hwgen reads", where=where)
    if dtype in _ZERO_LIMITS and scales.size:
        if not (np.all(np.isfinite(scales)) and np.all(scales > 0)):
            raise ModelError("a scale is not a positive number", where=where)
        lo, hi = _ZERO_LIMITS[dtype]
        if zeros.size and (zeros.min() < lo or zeros.max() > hi):
            raise ModelError(f"zero points {zeros.min()}..{zeros.max()} are no {dtype}", where=where)
        if zeros.size not in (0, 1, scales.size):
            raise ModelError(f"{scales.size} scales but {zeros.size} zero points", where=where)
    return scales, zeros, table.integer(6, "i32")


def _constant(raw: NDArray, shape: tuple[int, ...], form: str, where: str) -> NDArray | None:
    """A constant's values, not copied: many tensors of a hostile file may share one buffer.

    int4 stays packed (two a byte); types that no importer reads stay None."""
    if not form:
        return None
    count = prod(shape)
    packed = form == PACKED
    kind = np.dtype("u1") if packed else np.dtype(form).newbyteorder("<")
    if raw.size != ((count + 1) // 2 if packed else count * kind.itemsize):
        raise ModelError(f"{raw.size} bytes of data for shape {shape}", where=where)
    return raw if packed else raw.view(kind).reshape(shape)


def _operation(index: int, table: Table, codes: list[tuple[str, int]], tensors: list[Operand]) -> Operation:
    code = table.integer(0, "u32")
    where = f"op {index}"
    if code >= len(codes):
        raise ModelError(f"operator code {code} of {len(codes)}", where=where)
    kind, version = codes[code]
    inputs = _operands(table.array(1, "i4"), tensors, where)
    outputs = [operand for operand in _operands(table.array(2, "i4"), tensors, where) if operand]
    if not outputs:
        raise ModelError("operation without an output", where=f"{where} {kind}")
    fields = table.table(4) if kind in OPTIONS else None
    options = {
        name: fields.scalar(i, form, default) if fields else default
        for i, (name, form, default) in enumerate(OPTIONS.get(kind, ()))
    }
    return Operation(index, kind, version, tuple(inputs), tuple(outputs), options)


def _operands(indices: NDArray, tensors: list[Operand], where: str) -> list[Operand | None]:
    if indices.size > MAX_OPERANDS:
        raise ModelError(
            f"{indices.size} tensors are more than the {MAX_OPERANDS} that hwgen reads", where=where
        )
    found: list[Operand | None] = []
    for index in indices.tolist():
        if not -1 <= index < len(tensors):
            raise ModelError(f"tensor {index} of {len(tensors)}", where=where)
        found.append(tensors[index] if index >= 0 else None)
    return found
