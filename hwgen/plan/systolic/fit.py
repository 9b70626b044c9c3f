"""A layer's numbers as the engine takes them: int8 weights, an exact requantisation; or why none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwgen.ir.graph import Graph
from hwgen.layers.conv.op import Conv
from hwgen.layers.depthwise.op import Depthwise
from hwgen.layers.maxpool.op import MaxPool
from hwgen.layers.staircase.op import Step
from hwgen.layers.sumpool.op import SumPool
from hwgen.numeric.requantise import Form, Requantised, fit_requantised
from hwgen.numeric.rounding import Ints
from hwgen.numeric.staircase import Staircase
from hwgen.plan.systolic.reach import Reaches, mirrored, narrowed
from hwgen.program.array import Array

GAINS = (1, 2, 4, 8, 16, 32, 64)


class Unfit(ValueError):
    """A layer whose numbers the array does not hold; the message says which."""


@dataclass(frozen=True, eq=False)
class Numbers:
    """weights: int8 values. constant: (rows,) what the engine's sums lack, times `fit`'s gain."""

    weights: Ints
    constant: Ints
    fit: Requantised


def form_of(array: Array) -> Form:
    """The array's widths."""
    return Form(array.multiplier, array.operand, array.bias)


def weighted(
    node: Conv | Depthwise, graph: Graph, reaches: Reaches, array: Array, offsets: tuple[int, int]
) -> Numbers:
    """A convolution's numbers. offsets: what input and output bytes are less than values. Unfit: why not."""
    if node.values is not None:
        raise Unfit("its input carries codes")
    stair = _stair(node.act, len(node.bias), reaches, node.name, offsets[1])
    falling = (stair.sign < 0) & (stair.steps[:, 0] <= stair.hi)
    flip = np.where(falling, -1, 1)
    outputs = (slice(None), None, None, None) if isinstance(node, Conv) else (None, None, slice(None))
    weights = node.weights * flip[outputs]
    stair = mirrored(stair, falling)
    constant = (node.bias * flip) + offsets[0] * weights.sum(axis=node.summed)
    if weights.min() < -256 or weights.max() > 254:
        raise Unfit(f"weights of {weights.min()} to {weights.max()}, beyond two of 8 bits")
    _check_sums(weights, node.summed, array)
    return _fitted(weights, constant, stair, node.summed, array, _zero(node.act, offsets[1]))


def pooled(
    node: SumPool | MaxPool | Step, graph: Graph, reaches: Reaches, array: Array, offsets: tuple[int, int]
) -> Numbers:
    """Weights (1, 1, rows) of one value, and the requantisation of what a window sums. Unfit: why not."""
    x = graph.tensors[node.inputs[0]]
    area = 1
    if isinstance(node, SumPool):
        area = node.window.kernel[0] * node.window.kernel[1]
    act = node.act
    if act is None:
        if not isinstance(node, MaxPool):
            raise Unfit("has no activation that makes bytes of its sums")
        span = [np.array([v], dtype=np.int64) for v in (x.range.lo, 1, x.range.lo, x.range.hi)]
        act = Staircase(np.arange(x.range.lo + 1, x.range.hi + 2, dtype=np.int64)[None, :], *span)
    channels = x.shape[2]
    stair = _stair(act, channels if act.rows > 1 else 1, reaches, node.name, offsets[1])
    if np.any((stair.sign < 0) & (stair.steps[:, 0] <= stair.hi)):
        if not isinstance(node, SumPool | Step) or not np.all(stair.sign < 0):
            raise Unfit("its activation falls")
        flipped = mirrored(stair, np.ones(stair.rows, dtype=bool))
        sign, stair = -1, flipped
    else:
        sign = 1
    weights = np.full((1, 1, stair.rows), sign, dtype=np.int64)
    constant = np.full(stair.rows, sign * offsets[0] * area, dtype=np.int64)
    zero = _zero(act, offsets[1])
    for gain in reversed(GAINS):
        if area * 128 * gain >= 1 << (array.operand - 1):
            continue
        fit = fit_requantised(stair, form_of(array), gain * constant, gain, zero)
        if not fit.unfit:
            return Numbers(weights * gain, gain * constant, fit)
    raise Unfit("no multiplier, shift and bias are its activation")


def _stair(act: Staircase | None, rows: int, reaches: Reaches, name: str, offset: int) -> Staircase:
    """The activation, `rows` rows, on what it can meet, with the output's bytes as values."""
    if act is None:
        raise Unfit("has no activation that makes bytes of its sums")
    if act.pixel_rows is not None:
        raise Unfit("its activation depends on the pixel")
    act = act.expanded(rows) if act.rows == 1 else act
    lo, hi = reaches.sums[name]
    if act.rows == 1:
        lo, hi = lo.min(keepdims=True), hi.max(keepdims=True)
    act = narrowed(act, (lo, hi))
    limits = act.range
    if limits.lo - offset < -128 or limits.hi - offset > 127:
        raise Unfit(f"values of {limits}, no bytes")
    return Staircase(act.steps, act.base - offset, act.sign, act.lo, act.hi)


def _zero(act: Staircase | None, offset: int) -> int | None:
    """The byte that the activation makes of 0 in most rows, also where narrowed rows do not reach it."""
    if act is None:
        return None
    inside = (act.lo <= 0) & (act.hi >= 0)
    values = (act.base + act.sign * np.sum(act.steps <= 0, axis=1))[inside] - offset
    if not len(values):
        return None
    each, counts = np.unique(values, return_counts=True)
    return int(each[np.argmax(counts)])


def _check_sums(weights: Ints, axes: tuple[int, ...], array: Array) -> None:
    largest = int((np.abs(weights).sum(axis=axes) * 128).max())
    if largest >= 1 << (array.accumulator - 1):
        raise Unfit(f"sums of up to {largest}, beyond {array.accumulator} bits")


def _fitted(
    weights: Ints, constant: Ints, stair: Staircase, axes: tuple[int, ...], array: Array, zero: int | None
) -> Numbers:
    """With the smallest gain of all weights that makes every row fit."""
    first: Requantised | None = None
    for gain in GAINS:
        scaled = weights * gain
        if gain > 1 and (scaled.min() < -128 or scaled.max() > 127):
            break
        if gain > 1 and int((np.abs(scaled).sum(axis=axes) * 128).max()) >= 1 << (array.accumulator - 1):
            break
        fit = fit_requantised(stair, form_of(array), gain * constant, gain, zero)
        if not fit.unfit:
            return Numbers(scaled, gain * constant, fit)
        first = first or fit
    assert first is not None
    rows = f"{first.unfit[0]} ({len(first.unfit)} in all)"
    raise Unfit(f"no multiplier, shift and bias are the activation of channel {rows}")
