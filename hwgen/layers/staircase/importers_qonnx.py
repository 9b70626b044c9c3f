"""Quant, BipolarQuant, Trunc and MultiThreshold of QONNX: each ends a chain of floats in a staircase.

What comes out is a float again, on a grid (layers/onnx_grid.py). Quantised constants keep their integers.
Where the float32 sums before a quantiser round in an order of the runtime's own, thresholds that lie within
that rounding of a tie are noted; they are put where the exact sum, rounded once to float32, puts them.
"""

from __future__ import annotations

from dataclasses import fields, replace
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hwgen.ir.tensor import HostChain
from hwgen.layers.onnx_elementwise import per_row, real_input, widened
from hwgen.layers.onnx_grid import even
from hwgen.layers.onnx_levels import decided
from hwgen.layers.onnx_operation import Damaged, Operation, Unsupported
from hwgen.layers.onnx_values import MAX_ZERO, Codes, Const, Context, PlaneSource, Raw, Real, Value, settled
from hwgen.layers.requantize_onnx import Chain, Floats, Scheme
from hwgen.layers.requantize_qonnx import (
    ROUNDINGS,
    BipolarRule,
    QuantRule,
    Rounding,
    ThresholdRule,
    TruncRule,
    limits,
)
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints

MAX_CONSTANT_BITS = 32  # a bias; weights of more than 8 bits are refused where they are used
MAX_BITS, MAX_STEPS, MAX_THRESHOLDS = 8, 1 << 22, 1 << 12


class Rule(Protocol):
    """float32 to integers, and back to what they stand for."""

    def __call__(self, x: Floats) -> Ints:
        """The integers."""

    def value(self, q: Ints) -> Floats:
        """The floats."""


def quant(op: Operation, ctx: Context) -> Value:
    """Quant (IntQuant): x, scale, zero point, bit width."""
    rounding = _rounding(op, "ROUND")
    x = ctx.value(op, 0)
    bits = _bits(op, ctx, 3, MAX_CONSTANT_BITS if isinstance(x, Const) else MAX_BITS)
    signed, narrow = bool(op.integer("signed", 1)), bool(op.integer("narrow", 0))
    scale, zero = _scale(op, ctx, 1), _numbers(op, ctx, 2, "the zero point")
    bipolar = bits == 1 and signed
    held = Range(0, 1) if bipolar else limits(bits, signed, narrow)

    def rule(scale: Floats, zero: Floats) -> Rule:
        return BipolarRule(scale, zero) if bipolar else QuantRule(scale, zero, held, rounding)

    if isinstance(x, Const):
        return _constant(x, rule(scale, zero), scale, zero, bipolar)
    if isinstance(x, Raw) and rounding is np.rint and not bipolar and scale.size == 1 and not np.any(zero):
        entered = ctx.entered(x, Scheme(float(scale.ravel()[0]), 0, "int8"), held)
        made = rule(scale.reshape(1, 1), np.zeros((1, 1), np.float32))
        return _valued(Real(PlaneSource(entered.plane), made.value, entered.index), made)
    real, (s, z) = per_row(ctx, real_input(op, ctx), [scale, zero])
    return _stepped(op, ctx, real, rule(s, z))


def bipolar_quant(op: Operation, ctx: Context) -> Value:
    """BipolarQuant: x, scale."""
    scale = _scale(op, ctx, 1)
    x = ctx.value(op, 0)
    if isinstance(x, Const):
        return _constant(x, BipolarRule(scale), scale, np.zeros(1, np.float32), bipolar=True)
    real, (s,) = per_row(ctx, real_input(op, ctx), [scale])
    return _stepped(op, ctx, real, BipolarRule(s))


def trunc(op: Operation, ctx: Context) -> Value:
    """Trunc: x, scale, zero point, bits before, bits after (version 1); or with the output's scale (2)."""
    rounding = _rounding(op, "FLOOR")
    scale, zero = _scale(op, ctx, 1), _numbers(op, ctx, 2, "the zero point")
    if len(op.inputs) < 6:
        before, after = (_numbers(op, ctx, i, "a bit width") for i in (3, 4))
        divisor = np.float32(2.0) ** (before - after)
        real, (s, z, d) = per_row(ctx, real_input(op, ctx), [scale, zero, divisor])
        return _stepped(op, ctx, real, TruncRule(s, z, d, rounding))
    out = _scale(op, ctx, 4)
    held = limits(_bits(op, ctx, 5), bool(op.integer("signed", 1)), bool(op.integer("narrow", 0)))
    divisor = np.float32(2) ** np.rint(np.log2(out / scale))
    real, (s, z, d, o) = per_row(ctx, real_input(op, ctx), [scale, zero, divisor, out])
    return _stepped(op, ctx, real, TruncRule(s, z, d, rounding, held, o))


def multi_threshold(op: Operation, ctx: Context) -> Value:
    """MultiThreshold: x, thresholds (C or 1, K)."""
    thresholds = ctx.array(op, 1, "the thresholds")
    scale, bias = np.float32(op.real("out_scale", 1.0)), np.float32(op.real("out_bias", 0.0))
    if thresholds.ndim != 2 or thresholds.shape[1] > MAX_THRESHOLDS:
        raise Unsupported(f"thresholds of shape {thresholds.shape}")
    if np.any(np.isnan(thresholds)) or not np.isfinite(scale) or scale == 0 or not np.isfinite(bias):
        raise Damaged("thresholds, out_scale or out_bias that are no numbers, or an out_scale of 0")
    real = real_input(op, ctx)
    rank = real.index.ndim
    layout = op.text("data_layout", "") or {2: "NC", 3: "NWC", 4: "NCHW"}.get(rank, "NC")
    axis = layout.index("C") if "C" in layout else 1
    if axis >= rank:
        raise Damaged(f"data_layout {layout} for rank {rank}")
    if thresholds.shape[0] not in (1, real.index.shape[axis]):
        raise Damaged(f"thresholds of {thresholds.shape} for {real.index.shape[axis]} channels")
    column = [1] * rank
    column[axis] = -1
    real, (channel,) = per_row(ctx, real, [np.arange(len(thresholds)).reshape(column)])
    steps = np.sort(thresholds.astype(np.float32), axis=1)[channel.ravel().astype(np.int64)]
    return _stepped(op, ctx, real, ThresholdRule(steps, scale, bias))


def _stepped(op: Operation, ctx: Context, x: Real, rule: Rule) -> Real:
    """Emit what the real waits for with the rule as its staircase; the result is a float of its integers."""
    x = settled(ctx, x)
    source = x.source

    def whole(q: NDArray) -> Ints:
        return _applied(rule, x.chain, q)

    ends = whole(np.stack([source.lo, source.hi], axis=1))
    if int(np.abs(ends[:, 1] - ends[:, 0]).max()) * len(ends) > MAX_STEPS:
        raise Unsupported("a quantiser of too many steps")
    act = decided(ctx, op, x, [whole, *(partial(_applied, rule, chain) for chain in x.doubt)])
    plane = source.once(ctx, op, act, _nominal(rule, act.range))
    values = rule.value(np.array([[0, 1]], dtype=np.int64))
    if np.all(values == values[:1]):
        rule, values = _one_row(rule), values[:1]
    result = Real(PlaneSource(plane), rule.value, x.index)
    return _valued(widened(result, len(values)) if len(values) > 1 else result, rule)


def _applied(rule: Rule, chain: Chain, q: NDArray) -> Ints:
    return rule(np.asarray(chain(q), dtype=np.float32))


def _one_row(rule: Any) -> Rule:
    """The rule of the first channel, for all."""
    arrays = {f.name: getattr(rule, f.name) for f in fields(rule)}
    return replace(rule, **{k: a[:1] for k, a in arrays.items() if isinstance(a, np.ndarray) and a.ndim == 2})


def _valued(real: Real, rule: Rule) -> Real:
    """With what a host does to make the floats, where they lie evenly."""
    sample = np.array([[0, 1]], dtype=np.int64)
    grid = even(rule.value(sample).astype(np.float64), np.zeros(1, np.int64))
    if grid is None:
        return real
    return replace(real, host=HostChain(tuple(grid.shift.tolist()), tuple(grid.unit.tolist())))


def _nominal(rule: Rule, held: Range) -> Scheme:
    """One output step, for sums that look for tables in its unit."""
    value = rule.value(np.array([[0, 1]], dtype=np.int64)).astype(np.float64)[0]
    unit = abs(float(value[1] - value[0])) or 1.0
    return Scheme(unit, int(np.clip(round(-value[0] / unit), held.lo, held.hi)), "int8")


def _constant(x: Const, rule: Rule, scale: Floats, zero: Floats, bipolar: bool) -> Const:
    """Weights: their fake-quantised floats and the integers behind them."""
    array = x.array
    if array.dtype.kind != "f" or not np.all(np.isfinite(array)):
        raise Damaged("quantises a constant that is no float, or not finite")
    for name, a in (("scale", scale), ("zero point", zero)):
        shape = np.shape(a)
        if len(shape) > array.ndim or any(m not in (1, n) for m, n in zip(shape[::-1], array.shape[::-1])):
            raise Damaged(f"a {name} of shape {shape} for a constant of {array.shape}")
    q = rule(array.astype(np.float32))
    value = rule.value(q).astype(np.float32)
    if bipolar:
        q = 2 * q - 1
    scale, zero = (a.ravel()[:1] if np.all(a == a.ravel()[0]) else a for a in (scale, zero))
    axis = _axis(array.shape, scale, zero)
    if axis is None:
        raise Unsupported(
            "a constant quantised along several axes; one scale, or one an output, is supported"
        )
    if np.any(zero != np.rint(zero)) or np.abs(zero).max() > MAX_ZERO:
        return Const(value)
    dtype = "int8" if q.min() >= -128 and q.max() <= 255 else "int16"
    whole = np.rint(zero).astype(np.int64)
    return Const(value, Codes(q, scale.ravel(), whole.ravel(), axis, dtype))


def _axis(shape: tuple[int, ...], *arrays: NDArray) -> int | None:
    """The one axis along which scale and zero point vary; None if there are several."""
    axes = {len(shape) - a.ndim + i for a in arrays for i, n in enumerate(a.shape) if n > 1}
    if len(axes) > 1:
        return None
    return axes.pop() if axes else 0


def _rounding(op: Operation, default: str) -> Rounding:
    mode = op.text("rounding_mode", default).upper()
    if mode not in ROUNDINGS:
        raise Unsupported(f"rounding_mode {mode}; {', '.join(ROUNDINGS)} are supported")
    return ROUNDINGS[mode]


def _numbers(op: Operation, ctx: Context, i: int, what: str) -> Floats:
    array = ctx.array(op, i, what)
    if array.dtype.kind not in "fi" or not np.all(np.isfinite(array)):
        raise Damaged(f"{what} is {array.dtype} or not finite")
    return array.astype(np.float32)


def _scale(op: Operation, ctx: Context, i: int) -> Floats:
    array = _numbers(op, ctx, i, "the scale")
    if np.any(array <= 0):
        raise Damaged("a scale is not a positive number")
    return array


def _bits(op: Operation, ctx: Context, i: int, most: int = MAX_BITS) -> int:
    array = _numbers(op, ctx, i, "the bit width")
    bits = float(array.ravel()[0])
    if np.any(array != bits) or not bits.is_integer():
        raise Unsupported("bit widths that differ between channels or are no integers")
    if not 1 <= bits <= most:
        raise Unsupported(f"a bit width of {bits:g}; 1 to {most} are supported")
    return int(bits)


IMPORTERS = {
    "Quant": quant,
    "IntQuant": quant,
    "BipolarQuant": bipolar_quant,
    "Trunc": trunc,
    "MultiThreshold": multi_threshold,
}
