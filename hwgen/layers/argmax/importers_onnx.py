"""ArgMax and TopK (the first) of ONNX over the channels.

Floats are compared as the runtime does: where they rise strictly with the integers behind them, alike in
all channels, the integers decide. Else (a bias or scale per channel, float32 values that coincide) each
integer is replaced by the rank of its float among those of all channels.
"""

from __future__ import annotations

import numpy as np

from hwgen.layers.argmax.op import ArgMax
from hwgen.layers.onnx_elementwise import real_input
from hwgen.layers.onnx_operation import Damaged, Operation, Unsupported
from hwgen.layers.onnx_values import Context, Plane, Quant, Value, settled
from hwgen.layers.requantize_onnx import Scheme
from hwgen.numeric.staircase import from_function

MAX_VALUES, MAX_RANKS = 1 << 20, 1 << 16


def argmax(op: Operation, ctx: Context) -> Value:
    """The first largest channel."""
    axis = op.integer("axis", 0)
    if op.integer("select_last_index", 0):
        raise Unsupported("select_last_index")
    return _first_largest(op, ctx, axis, bool(op.integer("keepdims", 1)))


def top_k(op: Operation, ctx: Context) -> tuple[Value | None, Value]:
    """TopK with k = 1, of which only the index is used: onnxruntime gives the first of equal ones."""
    k = ctx.integers(op, 1, "k") if op.has(1) else [op.integer("k", 1)]
    if k != [1] or not op.integer("largest", 1):
        raise Unsupported("more than the one largest value; TopK with k = 1 is supported")
    if len(op.outputs) < 2 or not op.outputs[1]:
        raise Unsupported("the values of TopK; its indices are supported")
    return None, _first_largest(op, ctx, op.integer("axis", -1), kept=True)


def _first_largest(op: Operation, ctx: Context, axis: int, kept: bool) -> Quant:
    value = _integers(op, ctx)
    rank = value.index.ndim
    if not -rank <= axis < rank:
        raise Damaged(f"axis {axis} of rank {rank}")
    if value.index.size != value.index.shape[axis]:
        raise Unsupported("an ArgMax over more than one vector")
    tensor, columns = ctx.rows(Quant(value.plane, value.index.reshape(1, -1)))
    if columns is not None:
        raise Unsupported("an ArgMax over elements that stream in another order")
    result = ctx.add(op, ArgMax, (tensor,))
    dims = [1] * rank if kept else [1] * (rank - 1)
    return Quant(Plane("int64", result.range, result), np.zeros(dims, dtype=np.int32))


def _integers(op: Operation, ctx: Context) -> Quant:
    """Integers in the order of the floats."""
    x = ctx.value(op, 0)
    if isinstance(x, Quant):
        return x
    if ctx.runtime != "qonnx":
        return ctx.dequantized(op, 0)[0]
    real = settled(ctx, real_input(op, ctx))
    source = real.source
    lo, hi = source.lo[:, None], source.hi[:, None]
    count = int(hi.max() - lo.min()) + 1
    if count * len(lo) > MAX_VALUES or source.pixel_rows is not None:
        raise Unsupported(f"an ArgMax of {count} different values; quantise them first")
    q = np.broadcast_to(np.arange(lo.min(), hi.max() + 1), (len(lo), count))
    values = real.chain(q)
    nominal = Scheme(1.0, 0, "int8")
    if source.bare and np.all(values == values[:1]) and np.all(np.diff(values[0]) > 0):
        return Quant(source.once(ctx, op.inner(), None, nominal), real.index)
    ranked = np.unique(real.chain(np.clip(q, lo, hi)))
    if len(ranked) > MAX_RANKS:
        raise Unsupported(f"an ArgMax of {len(ranked)} different floats in all; leave it to the host")
    act = from_function(lambda i: np.searchsorted(ranked, real.chain(i)), source.lo, source.hi)
    return Quant(source.once(ctx, op.inner(), act, nominal), real.index)


IMPORTERS = {"ArgMax": argmax, "TopK": top_k}
