"""Bytes of a .tflite file from plain records of its tensors and operations.

The schema's classes come from the `tflite` package, the bytes from `flatbuffers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
import tflite
from numpy.typing import ArrayLike, NDArray

TYPES = {
    "float32": (tflite.TensorType.FLOAT32, np.float32),
    "int8": (tflite.TensorType.INT8, np.int8),
    "uint8": (tflite.TensorType.UINT8, np.uint8),
    "int32": (tflite.TensorType.INT32, np.int32),
    "int64": (tflite.TensorType.INT64, np.int64),
    "int4": (17, np.int8),
}
"""Code in the schema and the NumPy type of the values, by name."""


@dataclass(frozen=True)
class Quantization:
    """real = scale * (q - zero_point) per tensor, or per channel along `axis`."""

    scale: float | Sequence[float]
    zero_point: int = 0
    axis: int = 0

    @property
    def scales(self) -> NDArray[np.float32]:
        """All scales in float32, as the file keeps them."""
        return np.atleast_1d(np.asarray(self.scale, dtype=np.float32))


@dataclass(frozen=True)
class TensorRef:
    """A tensor of the file being written."""

    index: int
    shape: tuple[int, ...]
    dtype: str
    quantization: Quantization | None


@dataclass(frozen=True)
class TensorRecord:
    """A tensor, its name and its values if it is constant (int4: one value an element)."""

    ref: TensorRef
    name: str
    values: NDArray | None


@dataclass(frozen=True)
class OperationRecord:
    """Schema names of an operation, its options and their fields; tensors by index, -1 for none."""

    kind: str
    inputs: list[int]
    outputs: list[int]
    options: str
    fields: dict[str, Any]


def assemble(
    tensors: Sequence[TensorRecord],
    operations: Sequence[OperationRecord],
    inputs: Sequence[int],
    outputs: Sequence[int],
) -> bytes:
    """The file of a model with one subgraph."""
    b = flatbuffers.Builder(1 << 16)
    kinds = sorted({operation.kind for operation in operations})
    codes = [_operator_code(b, kind) for kind in kinds]
    buffers = [_buffer(b, None)]
    tables = []
    for record in tensors:
        number = 0
        if record.values is not None:
            number = len(buffers)
            buffers.append(_buffer(b, _packed(record) if record.ref.dtype == "int4" else record.values))
        tables.append(_tensor(b, record.ref, record.name, number))
    operators = [_operator(b, kinds.index(operation.kind), operation) for operation in operations]
    parts = [_offsets(b, tables), _array(b, inputs), _array(b, outputs), _offsets(b, operators)]
    tflite.SubGraphStart(b)
    tflite.SubGraphAddTensors(b, parts[0])
    tflite.SubGraphAddInputs(b, parts[1])
    tflite.SubGraphAddOutputs(b, parts[2])
    tflite.SubGraphAddOperators(b, parts[3])
    subgraphs = _offsets(b, [tflite.SubGraphEnd(b)])
    description = b.CreateString("hwgen")
    all_codes, all_buffers = _offsets(b, codes), _offsets(b, buffers)
    tflite.ModelStart(b)
    tflite.ModelAddVersion(b, 3)
    tflite.ModelAddOperatorCodes(b, all_codes)
    tflite.ModelAddSubgraphs(b, subgraphs)
    tflite.ModelAddDescription(b, description)
    tflite.ModelAddBuffers(b, all_buffers)
    b.Finish(tflite.ModelEnd(b), file_identifier=b"TFL3")
    return bytes(b.Output())


def _packed(record: TensorRecord) -> NDArray[np.uint8]:
    """int4 values, two a byte, the first in the low bits."""
    assert record.values is not None
    nibbles = record.values.ravel().astype(np.int16) & 15
    nibbles = np.append(nibbles, np.zeros(nibbles.size % 2, dtype=np.int16))
    return (nibbles[0::2] | nibbles[1::2] << 4).astype(np.uint8)


def _array(b: flatbuffers.Builder, values: ArrayLike, dtype: type = np.int32) -> int:
    return b.CreateNumpyVector(np.asarray(values, dtype=dtype))


def _offsets(b: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return b.EndVector()


def _operator_code(b: flatbuffers.Builder, kind: str) -> int:
    code = getattr(tflite.BuiltinOperator, kind)
    tflite.OperatorCodeStart(b)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(code, 127))
    tflite.OperatorCodeAddVersion(b, _VERSIONS.get(kind, 2))
    tflite.OperatorCodeAddBuiltinCode(b, code)
    return tflite.OperatorCodeEnd(b)


_VERSIONS = {
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "RESHAPE": 1,
    "QUANTIZE": 1,
    "RELU_N1_TO_1": 1,
}


def _buffer(b: flatbuffers.Builder, values: NDArray | None) -> int:
    data = None
    if values is not None:
        raw = values.astype(values.dtype.newbyteorder("<")).tobytes()
        b.StartVector(1, len(raw), 16)
        b.head = b.head - len(raw)
        b.Bytes[b.head : b.head + len(raw)] = raw
        data = b.EndVector()
    tflite.BufferStart(b)
    if data is not None:
        tflite.BufferAddData(b, data)
    return tflite.BufferEnd(b)


def _tensor(b: flatbuffers.Builder, ref: TensorRef, name: str, number: int) -> int:
    quantization = None
    if ref.quantization is not None:
        scales = _array(b, ref.quantization.scales, np.float32)
        zeros = _array(b, [ref.quantization.zero_point] * ref.quantization.scales.size, np.int64)
        tflite.QuantizationParametersStart(b)
        tflite.QuantizationParametersAddScale(b, scales)
        tflite.QuantizationParametersAddZeroPoint(b, zeros)
        tflite.QuantizationParametersAddQuantizedDimension(b, ref.quantization.axis)
        quantization = tflite.QuantizationParametersEnd(b)
    shape, text = _array(b, ref.shape), b.CreateString(name)
    tflite.TensorStart(b)
    tflite.TensorAddShape(b, shape)
    tflite.TensorAddType(b, TYPES[ref.dtype][0])
    tflite.TensorAddBuffer(b, number)
    tflite.TensorAddName(b, text)
    if quantization is not None:
        tflite.TensorAddQuantization(b, quantization)
    return tflite.TensorEnd(b)


def _operator(b: flatbuffers.Builder, code: int, operation: OperationRecord) -> int:
    table = None
    options = operation.options
    if options:
        getattr(tflite, f"{options}Start")(b)
        for name, value in operation.fields.items():
            getattr(tflite, f"{options}Add{name}")(b, value)
        table = getattr(tflite, f"{options}End")(b)
    ins, outs = _array(b, operation.inputs), _array(b, operation.outputs)
    tflite.OperatorStart(b)
    tflite.OperatorAddOpcodeIndex(b, code)
    tflite.OperatorAddInputs(b, ins)
    tflite.OperatorAddOutputs(b, outs)
    if table is not None:
        tflite.OperatorAddBuiltinOptionsType(b, getattr(tflite.BuiltinOptions, options))
        tflite.OperatorAddBuiltinOptions(b, table)
    return tflite.OperatorEnd(b)
