"""ArgMax of ONNX over the channels."""

from __future__ import annotations

import numpy as np

from hwgen.layers.argmax.op import ArgMax
from hwgen.layers.onnx_values import Context, Damaged, Operation, Plane, Quant, Unsupported, Value


def argmax(op: Operation, ctx: Context) -> Value:
    """The first largest channel; dequantisation rises, so integers decide."""
    x = ctx.value(op, 0)
    value = x if isinstance(x, Quant) else ctx.dequantized(op, 0)[0]
    rank = value.index.ndim
    axis = op.integer("axis", 0)
    if op.integer("select_last_index", 0):
        raise Unsupported("select_last_index")
    if not -rank <= axis < rank:
        raise Damaged(f"axis {axis} of rank {rank}")
    if value.index.size != value.index.shape[axis]:
        raise Unsupported("an ArgMax over more than one vector")
    tensor, columns = ctx.rows(Quant(value.plane, value.index.reshape(1, -1)))
    if columns is not None:
        raise Unsupported("an ArgMax over elements that stream in another order")
    result = ctx.add(op, ArgMax, (tensor,))
    kept = op.integer("keepdims", 1)
    dims = [1] * rank if kept else [1] * (rank - 1)
    return Quant(Plane("int64", result.range, result), np.zeros(dims, dtype=np.int32))


IMPORTERS = {"ArgMax": argmax}
