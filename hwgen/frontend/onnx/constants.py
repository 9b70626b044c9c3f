"""Constants that exporters compute with nodes: Constant, Shape, Gather, Concat and small arithmetic.

PyTorch writes x.view(x.size(0), -1) that way. Only small integer tables are computed here; what
concerns weights (Reshape, Transpose, Quantize, Dequantize) is done by the layers' importers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hwgen.layers.onnx_operation import Damaged, Operation, Unsupported
from hwgen.layers.onnx_values import Const, Context, Value
from hwgen.layers.reshape.importers_onnx import dims

MAX_SIZE = 4096
_CASTS = {1: "float32", 6: "int32", 7: "int64", 9: "bool", 11: "float64"}


def constant(op: Operation, ctx: Context) -> Value:
    """Constant with any of its attributes."""
    for name in ("value", "value_float", "value_int", "value_floats", "value_ints"):
        value = op.attributes.get(name)
        if isinstance(value, np.ndarray):
            return Const(value)
        if isinstance(value, (int, float, list)):
            return Const(np.asarray(value, dtype=np.float32 if "float" in name else np.int64))
        if isinstance(value, str):
            raise Unsupported(f"a constant that {value}")
    raise Unsupported("a constant of a kind that hwgen does not read")


def shape(op: Operation, ctx: Context) -> Value:
    """Shape, with batch 1."""
    size = np.array(dims(ctx.value(op, 0)), dtype=np.int64)
    return Const(size[op.integer("start", 0) : op.integer("end", len(size))])


def gather(op: Operation, ctx: Context) -> Value:
    """Gather from a small constant."""
    table, index = _small(op, ctx, 0), _small(op, ctx, 1)
    axis = op.integer("axis", 0)
    if not table.ndim or not -table.ndim <= axis < table.ndim or index.dtype.kind != "i":
        raise Damaged("gathers from a scalar, an axis that is not there, or by something not integer")
    if index.size and (index.min() < -table.shape[axis] or index.max() >= table.shape[axis]):
        raise Damaged("gathers beyond the end")
    return Const(np.take(table, index, axis=axis))


def concat(op: Operation, ctx: Context) -> Value:
    """Concat of small constants."""
    parts = [_small(op, ctx, i) for i in range(len(op.inputs))]
    return Const(_computed(lambda: np.concatenate(parts, axis=op.integer("axis", 0))))


def cast(op: Operation, ctx: Context) -> Value:
    """Cast of a small constant."""
    to = op.integer("to", 0)
    if to not in _CASTS:
        raise Unsupported(f"a Cast to type {to}")
    with np.errstate(invalid="ignore", over="ignore"):
        return Const(_small(op, ctx, 0).astype(_CASTS[to]))


def slice_(op: Operation, ctx: Context) -> Value:
    """Slice of a small constant of rank 1."""
    table = _small(op, ctx, 0)
    ends = [ctx.integers(op, i, "a bound") if op.has(i) else [1] for i in (1, 2, 4)]
    if table.ndim != 1 or any(len(e) != 1 for e in ends) or ends[2] == [0]:
        raise Unsupported("a Slice of anything but a list")
    return Const(table[ends[0][0] : ends[1][0] : ends[2][0]])


def _small(op: Operation, ctx: Context, i: int) -> NDArray:
    array = ctx.array(op, i, "an operand")
    if array.size > MAX_SIZE:
        raise Unsupported(f"a constant of {array.size} elements computed by a {op.kind} node")
    return array


def _computed(make: Callable[[], NDArray]) -> NDArray:
    try:
        result = make()
    except (ValueError, TypeError) as error:
        raise Damaged(str(error)) from error
    if result.size > MAX_SIZE:
        raise Unsupported("a constant that grows")
    return result


IMPORTERS = {
    "Constant": constant,
    "Shape": shape,
    "Gather": gather,
    "Concat": concat,
    "Cast": cast,
    "Slice": slice_,
}
