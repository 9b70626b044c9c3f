"""Operations of ONNX that only change shape or order: they become index arithmetic, no node at all."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np
from numpy.typing import NDArray

from hwgen.layers.onnx_operation import Damaged, Operation, Unsupported
from hwgen.layers.onnx_values import Codes, Const, Context, HostTail, Quant, Raw, Value

View = Callable[[NDArray], NDArray]


def identity(op: Operation, ctx: Context) -> Value:
    """Identity, and Dropout outside training."""
    if op.kind == "Dropout" and op.has(2) and np.any(ctx.array(op, 2, "training_mode")):
        raise Unsupported("training mode")
    return ctx.value(op, 0)


def reshape(op: Operation, ctx: Context) -> Value:
    """Reshape; 0 keeps a dimension, -1 is what remains."""
    x = ctx.value(op, 0)
    shape = ctx.integers(op, 1, "the shape") if op.has(1) else op.integers("shape")
    old = dims(x)
    if shape is None or len(shape) > 8:
        raise Damaged(f"shape is {shape}")
    if not op.integer("allowzero", 0):
        if any(d == 0 and i >= len(old) for i, d in enumerate(shape)):
            raise Damaged(f"shape {shape} keeps a dimension that is not there")
        shape = [old[i] if d == 0 else d for i, d in enumerate(shape)]
    known = prod(d for d in shape if d != -1)
    if shape.count(-1) == 1 and known > 0:
        shape = [prod(old) // known if d == -1 else d for d in shape]
    if min(shape, default=1) < 0 or prod(shape) != prod(old):
        raise Damaged(f"{old} cannot become {shape}")
    return _viewed(x, lambda a: a.reshape(shape))


def flatten(op: Operation, ctx: Context) -> Value:
    """To rank 2, split at axis."""
    x = ctx.value(op, 0)
    old = dims(x)
    axis = op.integer("axis", 1)
    if not -len(old) <= axis <= len(old):
        raise Damaged(f"axis {axis} of rank {len(old)}")
    axis += len(old) if axis < 0 else 0
    return _viewed(x, lambda a: a.reshape(prod(old[:axis]), prod(old[axis:])))


def squeeze(op: Operation, ctx: Context) -> Value:
    """Dimensions of 1 away; without axes all of them but the batch stays first only if it is named."""
    x = ctx.value(op, 0)
    old = dims(x)
    axes = ctx.integers(op, 1, "axes") if op.has(1) else op.integers("axes")
    if axes is None:
        axes = [i for i, d in enumerate(old) if d == 1]
    gone = _axes(axes, len(old))
    if any(old[i] != 1 for i in gone):
        raise Damaged(f"squeezes axes {axes} of {old}")
    return _viewed(x, lambda a: a.reshape([d for i, d in enumerate(old) if i not in gone]))


def unsqueeze(op: Operation, ctx: Context) -> Value:
    """Dimensions of 1 at axes of the result."""
    x = ctx.value(op, 0)
    axes = ctx.integers(op, 1, "axes") if op.has(1) else op.integers("axes")
    if not axes or len(axes) > 8:
        raise Damaged(f"axes are {axes}")
    old = list(dims(x))
    for axis in sorted(_axes(axes, len(old) + len(axes))):
        old.insert(axis, 1)
    return _viewed(x, lambda a: a.reshape(old))


def transpose(op: Operation, ctx: Context) -> Value:
    """Another order of the dimensions; free at the model's edges and before a dense layer."""
    x = ctx.value(op, 0)
    rank = len(dims(x))
    order = op.integers("perm") or list(range(rank))[::-1]
    if sorted(order) != list(range(rank)):
        raise Damaged(f"perm is {order} for rank {rank}")
    return _viewed(x, lambda a: a.transpose(order), order)


def dims(x: Value) -> tuple[int, ...]:
    """Shape of a value as ONNX sees it, batch 1."""
    return tuple(x.array.shape if isinstance(x, Const) else x.index.shape)


def _viewed(x: Value, view: View, order: list[int] | None = None) -> Value:
    if isinstance(x, Const):
        return Const(view(x.array), _viewed_codes(x.codes, view, order) if x.codes else None)
    if isinstance(x, Quant):
        return Quant(x.plane, view(x.index))
    if isinstance(x, Raw):
        return Raw(x.entry, view(x.index))
    if isinstance(x, HostTail):
        raise Unsupported("a change of shape after the Softmax; put it before")
    return x.viewed(view(x.index))


def _viewed_codes(codes: Codes, view: View, order: list[int] | None) -> Codes | None:
    """Codes of a constant seen otherwise; None where the axis of its scales would be lost."""
    if codes.scale.size == 1 and codes.zero_point.size == 1:
        return Codes(view(codes.q), codes.scale, codes.zero_point, 0, codes.dtype)
    if order is None:
        return None
    axis = order.index(codes.axis % codes.q.ndim)
    return Codes(view(codes.q), codes.scale, codes.zero_point, axis, codes.dtype)


def _axes(axes: list[int], rank: int) -> set[int]:
    if any(not -rank <= a < rank for a in axes) or len({a % rank for a in axes}) != len(axes):
        raise Damaged(f"axes {axes} of rank {rank}")
    return {a % rank for a in axes}


IMPORTERS = {
    "Identity": identity,
    "Dropout": identity,
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Transpose": transpose,
}
