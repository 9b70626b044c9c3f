"""What integers mean as floats: the grid real = unit * (q + shift) that a layer's sums are made of.

QuantizeLinear says it; elsewhere (Quant, thresholds, scales, ReLU behind a quantiser) it is read off the
values themselves: the float32 value of every integer is computed and must lie evenly, up to float32
rounding. Values on a coarser or uneven grid (a clamp, powers of two) get integers of their own by a
staircase.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwgen.ir.tensor import HostChain
from hwgen.layers.onnx_levels import power_table, stepped
from hwgen.layers.onnx_operation import Operation, Unsupported
from hwgen.layers.onnx_values import Context, Grid, PlaneSource, Quant, Real, settled
from hwgen.layers.requantize_onnx import Scheme
from hwgen.numeric.rounding import Ints
from hwgen.numeric.staircase import from_function

MAX_VALUES, MAX_TABLE, MAX_LEVEL = 1 << 16, 1 << 22, 1 << 15
_NOISE = 2.0**-21
"""Rounding of a value by a few float32 operations, relative to the largest."""


def gridded(
    ctx: Context, op: Operation, x: Real, padded: bool = False, coded: bool = False
) -> tuple[Quant, Grid]:
    """The integers behind a real and their grid; padded: one of them must be able to stand for 0.0.

    coded: powers of two may come as codes."""
    if x.scheme is not None:
        return Quant(x.source.once(ctx, op.inner(), None, x.scheme), x.index), Grid.of(x.scheme)
    if not x.source.few or x.source.pixel_rows is not None or (x.doubt and x.rounds):
        x = stepped(ctx, op, x)
    q, values = value_tables(x)
    grid = even(values, q[:, 0])
    rising = grid is not None and x.source.bare and bool(np.all(grid.unit > 0))
    if grid is not None and rising and (not padded or grid.zero_point is not None):
        unit = Scheme(float(grid.unit[0]), 0, "int8")
        return Quant(x.source.once(ctx, op.inner(), None, unit), x.index), grid
    return _regridded(ctx, op, x, q, values, padded, coded)


def gridded_real(value: Quant, grid: Grid) -> Real:
    """The floats of integers on a grid that is the same for all channels."""
    if grid.unit.size > 1 or grid.shift.size > 1:
        raise Unsupported("activations with a scale per channel; here they need one scale")
    unit, shift = float(grid.unit[0]), float(grid.shift[0])
    host = HostChain((shift,), (unit,))
    return Real(
        PlaneSource(value.plane), lambda q: ((q + shift) * unit).astype(np.float32), value.index, host=host
    )


def planar(ctx: Context, op: Operation, x: Real) -> Real:
    """The same floats as a function of a tensor's integers (a pool's result, say, which has none yet)."""
    if isinstance(x.source, PlaneSource) or not x.source.few:
        return x
    value, grid = gridded(ctx, op, x)
    return x if grid.unit.size > 1 else gridded_real(value, grid)


def value_tables(x: Real) -> tuple[Ints, NDArray[np.float64]]:
    """(integers, values), each (rows, n): every integer of the source and what it is as a float."""
    lo, hi = x.source.lo, x.source.hi
    count = int((hi - lo).max()) + 1
    if count > MAX_VALUES or count * len(lo) > MAX_TABLE:
        raise Unsupported(f"{count} different values where an activation is expected; quantise it first")
    q = np.minimum(lo[:, None] + np.arange(count, dtype=np.int64)[None, :], hi[:, None])
    values = np.asarray(x.chain(q), dtype=np.float64)
    if not np.all(np.isfinite(values)):
        raise Unsupported("values that are not finite")
    return q, np.broadcast_to(values, q.shape)


def even(values: NDArray[np.float64], first: Ints) -> Grid | None:
    """The grid of values (rows, n) of consecutive integers from first (rows,); None if they lie unevenly."""
    count = values.shape[1]
    span = values[:, -1] - values[:, 0]
    if count < 2 or np.any(span == 0):
        return None
    distance = span / (count - 1)
    offset = values[:, 0] / distance
    half = np.rint(2 * offset) / 2
    offset = np.where(np.abs(offset - half) < 1e-3, half, offset)
    k = offset[:, None] + np.arange(count)[None, :]
    nearest = np.where(k == 0, np.inf, np.abs(k)).argmin(axis=1)
    rows = np.arange(len(values))
    unit = values[rows, nearest] / k[rows, nearest]
    if not np.all(np.isfinite(unit)):
        return None
    room = _NOISE * np.abs(values).max(axis=1, keepdims=True)
    if np.any(np.abs(values - unit[:, None] * k) > room):
        return None
    shift = offset - first
    if np.all(unit == unit[0]) and np.all(shift == shift[0]):
        unit, shift = unit[:1], shift[:1]
    return Grid(unit, shift)


def _regridded(
    ctx: Context,
    op: Operation,
    x: Real,
    q: Ints,
    values: NDArray[np.float64],
    padded: bool,
    coded: bool,
) -> tuple[Quant, Grid]:
    """A staircase from the source's integers to multiples of one unit, 0 standing for 0.0; or to codes."""
    unit = np.array([_unit(row) for row in values])
    if np.all(np.abs(unit - unit[0]) <= _NOISE * unit[0]):
        unit = np.broadcast_to(unit[:1], unit.shape)
    level = np.rint(values / unit[:, None]).astype(np.int64)
    room = _NOISE * np.abs(values).max(axis=1, keepdims=True)
    if np.abs(level).max() > MAX_LEVEL or np.any(np.abs(values - unit[:, None] * level) > room):
        raise Unsupported("activation values that are no multiples of one unit; quantise it first")
    table = power_table(level, padded) if coded and np.all(unit == unit[0]) else None
    if table is not None:
        grid = Grid(unit[:1], np.zeros(1), values=table, exact=bool(np.all(values == unit[0] * level)))
        level = np.searchsorted(table, level)
        if x.source.bare and np.array_equal(level, q):
            plane = x.source.once(ctx, op.inner(), None, Scheme(float(unit[0]), 0, "int8"))
            return Quant(plane, x.index), grid
    x = settled(ctx, x)
    lo, last = x.source.lo[:, None], level.shape[1] - 1
    act = from_function(
        lambda i: np.take_along_axis(level, np.clip(i - lo, 0, last), axis=1), x.source.lo, x.source.hi
    )
    plane = x.source.once(ctx, op.inner(), act, Scheme(float(unit[0]), 0, "int8"))
    if table is not None:
        return Quant(plane, x.index), grid
    if np.all(unit == unit[0]):
        unit = unit[:1]
    return Quant(plane, x.index), Grid(unit, np.zeros(len(unit)))


def _unit(values: NDArray[np.float64]) -> float:
    """The smallest distance between two values, or of one from 0."""
    seen = np.unique(np.concatenate([values, -values, [0.0]]))
    gaps = np.diff(seen)
    gaps = gaps[gaps > _NOISE * np.abs(values).max()]
    smallest = float(gaps.min()) if gaps.size else 1.0
    near = np.abs(values)[np.abs(np.abs(values) - smallest) <= _NOISE * np.abs(values).max()]
    return float(near.min()) if near.size else smallest
