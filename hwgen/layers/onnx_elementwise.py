"""Elementwise float32 operations between DequantizeLinear and QuantizeLinear: they join the staircase."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from hwgen.layers.onnx_entry import EntrySource, entry_real, settled_entry
from hwgen.layers.onnx_operation import Damaged, Operation, Unsupported
from hwgen.layers.onnx_values import Const, Context, Plane, PlaneSource, Raw, Real, Source, settled
from hwgen.layers.requantize_onnx import Floats
from hwgen.numeric.rounding import Ints

MAX_FOLDED = 1 << 22
_HOST_NAMES: dict[Callable[..., NDArray], tuple[str, str]] = {
    np.add: ("add", "add"),
    np.subtract: ("rsub", "sub"),
    np.multiply: ("mul", "mul"),
    np.divide: ("rdiv", "div"),
}
"""What a host calls a function whose first, or second, operand is the constant."""


def real_input(op: Operation, ctx: Context, i: int = 0) -> Real:
    """Input i as a float that is a function of integers (or of what the host gets)."""
    value = ctx.value(op, i)
    if isinstance(value, Raw) and ctx.runtime == "qonnx":
        return entry_real(value)
    if not isinstance(value, Real):
        raise Unsupported("a float operation on something that is not dequantised")
    return value


def per_row(ctx: Context, real: Real, arrays: list[NDArray]) -> tuple[Real, list[Floats]]:
    """Constants (broadcast to the real's shape) as (rows, 1) arrays, and the real with as many rows.

    A constant must be one number or one number per channel.
    """
    for a in arrays:
        if not _broadcasts(a.shape, real.index.shape):
            raise Unsupported(f"a constant of shape {a.shape} beside {real.index.shape}")
    if all(a.size == 1 for a in arrays):
        return real, [a.astype(np.float32).reshape(1, 1) for a in arrays]
    real = settled_entry(real) if isinstance(real.source, EntrySource) else settled(ctx, real)
    shape = real.source.shape(ctx)
    spread = [_per_position(a, real.index, shape) for a in arrays]
    if any(np.any(s != s[0]) for s in spread):
        real = _flat(ctx, real)
        shape = real.source.shape(ctx)
        spread = [_per_position(a, real.index, shape) for a in arrays]
    if any(np.any(s != s[0]) for s in spread):
        raise Unsupported("a constant that is not one number per channel")
    return widened(real, shape[2]), [s[0][:, None] for s in spread]


def constant_arithmetic(op: Operation, ctx: Context, function: Callable[..., NDArray]) -> Real | Const:
    """function(x, c) or function(c, x) in float32, c constant, monotone in x; or of two constants."""
    sides = [ctx.value(op, i) for i in (0, 1)]
    if isinstance(sides[0], Const) and isinstance(sides[1], Const):
        return folded(sides[0].array, sides[1].array, function)
    first_constant = isinstance(sides[0], Const)
    constant = sides[0] if first_constant else sides[1]
    other = sides[1] if first_constant else sides[0]
    if isinstance(other, Raw) and ctx.runtime == "qonnx":
        other = entry_real(other)
    if not isinstance(constant, Const) or not isinstance(other, Real):
        raise Unsupported("arithmetic of two computed values")
    real, (c,) = per_row(ctx, other, [constant.array])
    first, second = _HOST_NAMES.get(function, ("", ""))
    name = first if first_constant else second
    step = (name, tuple(c.ravel().tolist())) if name else None
    if first_constant:
        return real.mapped(lambda x: function(c, x), step)
    return real.mapped(lambda x: function(x, c), step)


def folded(a: NDArray, b: NDArray, function: Callable[..., NDArray]) -> Const:
    """An operation of two constants of one type."""
    if a.dtype != b.dtype:
        raise Damaged(f"arithmetic of {a.dtype} and {b.dtype}")
    try:
        size = prod(np.broadcast_shapes(a.shape, b.shape))
    except ValueError as error:
        raise Damaged(f"arithmetic of constants of {a.shape} and {b.shape}") from error
    if size > MAX_FOLDED:
        raise Unsupported(f"a computed constant of {size} elements")
    if function is np.divide and a.dtype.kind != "f":
        raise Unsupported("a division of integer constants")
    return Const(np.asarray(function(a, b)).astype(a.dtype))


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    return len(shape) <= len(to) and all(a in (1, b) for a, b in zip(shape[::-1], to[::-1]))


def _flat(ctx: Context, real: Real) -> Real:
    """The same on the tensor seen as a vector, so that every element is a channel."""
    if not isinstance(real.source, PlaneSource):
        return real
    tensor = ctx.place(real.source.plane)
    flat = ctx.reshaped(tensor, (1, 1, tensor.size))
    plane = Plane(real.source.plane.dtype, flat.range, flat)
    return replace(real, source=PlaneSource(plane))


def _per_position(array: NDArray, index: NDArray, shape: tuple[int, int, int]) -> Floats:
    """(pixels, channels): the constant that meets each element of the IR tensor."""
    values = np.empty(shape[0] * shape[1] * shape[2], dtype=np.float32)
    values[index.ravel()] = np.broadcast_to(array, index.shape).ravel()
    return values.reshape(-1, shape[2])


def widened(real: Real, rows: int) -> Real:
    """The same real with a row for every channel."""
    source = real.source
    if source.pixel_rows is not None or not source.per_channel:
        raise Unsupported("a constant per channel after an operation that treats all channels alike")
    if len(source.lo) == rows:
        return real
    wide: Source = copy(source)
    wide.lo, wide.hi = (_repeated(a, rows) for a in (source.lo, source.hi))
    wide.made = {}
    noise = None if real.noise is None else np.broadcast_to(real.noise, (rows, 1))
    return replace(real, source=wide, noise=noise)


def _repeated(values: Ints, rows: int) -> Ints:
    return np.repeat(values, rows)
