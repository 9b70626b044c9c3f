"""Computes at compile time what a TFLite model computes from shapes: SHAPE, STRIDED_SLICE, PACK."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hwgen.frontend.tflite_schema import Model
from hwgen.layers.tflite import Operation
from hwgen.support.errors import ModelError

MAX_ELEMENTS = 4096
_INTEGERS = {"INT32": np.int32, "INT64": np.int64}


def fold(model: Model) -> list[Operation]:
    """The operations that remain; outputs of the others become constants."""
    remaining = []
    for op in model.operations:
        value = _value(op)
        if value is None:
            remaining.append(op)
        else:
            if value.shape != op.output.shape:
                raise ModelError(f"makes {value.shape}, the file says {op.output.shape}", where=str(op))
            op.output.data = value.astype(_INTEGERS[op.output.dtype])
    return remaining


def _value(op: Operation) -> NDArray | None:
    function = _FOLDS.get(op.kind)
    if function is None or op.output.dtype not in _INTEGERS or op.output.data is not None:
        return None
    try:
        return function(op)
    except (IndexError, ValueError) as error:
        raise ModelError(f"cannot be computed: {error}", where=str(op)) from error


def _shape(op: Operation) -> NDArray | None:
    x = op.inputs[0] if op.inputs else None
    return None if x is None or x.dynamic else np.array(x.shape, dtype=np.int64)


def _constants(op: Operation) -> list[NDArray] | None:
    """All inputs, if they are small integer constants."""
    found = []
    for operand in op.inputs:
        if operand is None or operand.data is None or operand.dtype not in _INTEGERS:
            return None
        if operand.data.size > MAX_ELEMENTS:
            return None
        found.append(operand.data)
    return found


def _pack(op: Operation) -> NDArray | None:
    values = _constants(op)
    return np.stack(values, axis=op.options["axis"]) if values else None


def _strided_slice(op: Operation) -> NDArray | None:
    values = _constants(op)
    o = op.options
    if values is None or len(values) != 4 or o["ellipsis_mask"] or o["new_axis_mask"] or o["offset"]:
        return None
    x, begin, end, strides = values[0], *(v.ravel().tolist() for v in values[1:])
    if not len(begin) == len(end) == len(strides) == x.ndim or 0 in strides:
        return None
    index: list[slice | int] = []
    for axis, (first, last, step) in enumerate(zip(begin, end, strides, strict=True)):
        bit = 1 << axis
        if o["shrink_axis_mask"] & bit:
            index.append(first)
        else:
            index.append(
                slice(None if o["begin_mask"] & bit else first, None if o["end_mask"] & bit else last, step)
            )
    return np.asarray(x[tuple(index)])


_FOLDS: dict[str, Callable[[Operation], NDArray | None]] = {
    "SHAPE": _shape,
    "PACK": _pack,
    "STRIDED_SLICE": _strided_slice,
}
