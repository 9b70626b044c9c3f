"""Float chains that take few values are quantisers of their own, whatever operations they are made of.

A chain with a Round in it (of logarithms, for log-quantised activations) rises in a few steps over all
that its integers can be. The steps are found by bisection, as a staircase's; what comes out are the ranks
of the values. Where those are powers of two, a layer takes the ranks as codes (numeric/codes.py).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hwgen.layers.onnx_operation import Operation, Unsupported
from hwgen.layers.onnx_values import Context, PlaneSource, Real, settled
from hwgen.layers.requantize_onnx import Chain, Floats, Scheme
from hwgen.numeric.rounding import Ints
from hwgen.numeric.staircase import Staircase, from_function

MAX_LEVELS = 256
NOT_QUANTISED = "a float that is not directly dequantised; quantise and dequantise it first"
Whole = Callable[[NDArray], Ints]


def stepped(ctx: Context, op: Operation, x: Real) -> Real:
    """The real as a function of its values' ranks; Unsupported if it takes more than MAX_LEVELS."""
    if x.source.pixel_rows is not None or not x.rounds:
        raise Unsupported(NOT_QUANTISED)
    x = settled(ctx, x)
    source = x.source
    levels = distinct(x.chain, source.lo, source.hi)

    def ranks(chain: Chain) -> Whole:
        return lambda q: np.searchsorted(levels, np.asarray(chain(q), dtype=np.float32)).astype(np.int64)

    act = decided(ctx, op, x, [ranks(chain) for chain in (x.chain, *x.doubt)])
    plane = source.once(ctx, op.inner(), act, Scheme(1.0, 0, "int8"))

    def value(q: Ints) -> Floats:
        return levels[np.clip(q, 0, len(levels) - 1)]

    return Real(PlaneSource(plane), value, x.index)


def distinct(chain: Chain, lo: Ints, hi: Ints) -> Floats:
    """All values of a monotone chain over [lo, hi] of each row, ascending."""
    row = np.arange(len(lo))
    a, b = lo.copy(), hi.copy()
    at_a, at_b = (_values(chain, lo, row, end) for end in (a, b))
    found = np.unique(np.concatenate([at_a, at_b]))
    while row.size:
        apart = (at_a != at_b) & (b - a > 1)
        row, a, b, at_a, at_b = (each[apart] for each in (row, a, b, at_a, at_b))
        if not row.size:
            break
        middle = (a + b) >> 1
        between = _values(chain, lo, row, middle)
        found = np.unique(np.concatenate([found, between]))
        if len(found) > MAX_LEVELS:
            raise Unsupported(NOT_QUANTISED)
        row = np.concatenate([row, row])
        a, b = np.concatenate([a, middle]), np.concatenate([middle, b])
        at_a, at_b = np.concatenate([at_a, between]), np.concatenate([between, at_b])
    if not np.all(np.isfinite(found)):
        raise Unsupported("values that are not finite (the logarithm of 0?); put a Clip behind it")
    return found


def _values(chain: Chain, lo: Ints, row: NDArray, q: Ints) -> Floats:
    """chain(q[i]) in row row[i]."""
    order = np.argsort(row, kind="stable")
    count = np.bincount(row, minlength=len(lo))
    column = np.empty(len(row), dtype=np.int64)
    column[order] = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    asked = np.repeat(lo[:, None], max(int(count.max()), 1), axis=1)
    asked[row, column] = q
    with np.errstate(all="ignore"):
        values = np.asarray(chain(asked), dtype=np.float32)
    result = np.broadcast_to(values, asked.shape)[row, column]
    if np.any(np.isnan(result)):
        raise Unsupported("values that are no numbers (a logarithm of negative ones?); put a Relu before it")
    return result


def power_table(level: Ints, padded: bool) -> tuple[int, ...] | None:
    """The values of codes for activations of these levels, if all are 0 or +-2**k; padded: 0 among them.

    None for values that lie evenly (-1, 0, 1): they are their own codes, and have forms of their own."""
    values = sorted({*np.unique(level).tolist(), *([0] if padded else [])})
    if any(abs(v) & (abs(v) - 1) for v in values) or len(set(np.diff(values).tolist())) < 2:
        return None
    return tuple(values)


def decided(ctx: Context, op: Operation, x: Real, wholes: list[Whole]) -> Staircase:
    """The staircase of a real's chain and a quantiser behind it; what hangs on rounding is settled or noted.

    wholes: chain and quantiser, then the same for every doubt."""
    source = x.source

    def steps() -> list[Staircase]:
        return [from_function(whole, source.lo, source.hi, source.pixel_rows) for whole in wholes]

    found = steps()
    while x.doubt and source.decide(found, wholes):
        found = steps()
    act, *others = found
    _note_noise(ctx, op, wholes[0], act, x.noise)
    _note_doubt(ctx, op, act, others)
    return act


def _note_noise(ctx: Context, op: Operation, whole: Whole, act: Staircase, noise: NDArray | None) -> None:
    """Say which thresholds the runtime's own rounding of sums could move by one."""
    if noise is None:
        return
    after = np.clip(act.steps, act.lo[:, None], act.hi[:, None])
    before = np.maximum(after - 1, act.lo[:, None])
    unsure = (whole(after - noise) != whole(after)) | (whole(before + noise) != whole(before))
    _note(ctx, op, act, unsure, "the runtime's order of additions decides them, here the sum rounded once")


def _note_doubt(ctx: Context, op: Operation, act: Staircase, others: list[Staircase]) -> None:
    """Say which thresholds move where a function that runtimes approximate is off by a few units."""
    unsure = np.zeros(act.steps.shape, dtype=bool)
    for other in others:
        unsure |= other.steps != act.steps if other.steps.shape == act.steps.shape else True
    _note(ctx, op, act, unsure, "the runtime's logarithm decides them, here the one rounded once")


def _note(ctx: Context, op: Operation, act: Staircase, unsure: NDArray, rule: str) -> None:
    live = (act.steps > act.lo[:, None]) & (act.steps <= act.hi[:, None])
    unsure = unsure & live
    if np.any(unsure):
        channels = np.flatnonzero(unsure.any(axis=1)).tolist()
        named = ", ".join(map(str, channels[:8])) + (", ..." if len(channels) > 8 else "")
        ctx.note(
            f"{op}: {int(unsure.sum())} of {int(live.sum())} thresholds lie within float32 rounding of a tie "
            f"(channels {named}); {rule}"
        )
