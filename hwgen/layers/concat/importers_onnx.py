"""Concat and QLinearConcat of ONNX, along the channels.

Integers that mean the same floats are put together as they are. Else each input is quantised by what
follows, a table of its own channels' values, and then put together: QLinearConcat does so itself, and a
QuantizeLinear commutes with Concat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from hwgen.ir.tensor import Shape, Tensor
from hwgen.layers.concat.op import Concat
from hwgen.layers.onnx_elementwise import real_input
from hwgen.layers.onnx_grid import planar
from hwgen.layers.onnx_operation import Damaged, Operation, Unsupported
from hwgen.layers.onnx_values import (
    Const,
    Context,
    Index,
    Plane,
    PlaneSource,
    Quant,
    Real,
    Source,
    Value,
    arranged,
    dequantized_real,
    quantized,
)
from hwgen.layers.requantize_onnx import Floats, Scheme
from hwgen.layers.staircase.op import Step
from hwgen.numeric.rounding import Ints
from hwgen.numeric.staircase import Staircase

MAX_INPUTS, MAX_VALUES = 16, 1 << 16


class ConcatSource(Source):
    """Several tensors' channels, each with integers of its own; a row a channel."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.tensors = tensors
        ends = [[t.range.lo, t.range.hi] for t in tensors for _ in range(t.shape[2])]
        super().__init__(*np.array(ends, dtype=np.int64).T)

    def emit(self, ctx: Context, op: Operation, act: Staircase | None, out: Scheme) -> Plane:
        """Steps for the inputs that are not what is wanted already, and the chain of concatenations."""
        parts, first = [], 0
        for tensor in self.tensors:
            own = _rows(act, first, first + tensor.shape[2]) if act is not None else None
            changed = own is not None and not _unchanged(own)
            parts.append(ctx.add(op.inner(), Step, (tensor,), act=own) if changed else tensor)
            first += tensor.shape[2]
        joined = join(ctx, op, parts)
        return Plane(out.dtype, joined.range, joined)

    def shape(self, ctx: Context) -> Shape:
        """(H, W, C) of all channels."""
        return (*self.tensors[0].shape[:2], sum(t.shape[2] for t in self.tensors))


def _rows(act: Staircase, first: int, end: int) -> Staircase:
    """The activation of channels first .. end - 1, as one row where they are alike."""
    act = act.expanded(end) if act.rows == 1 else act
    names = ("steps", "base", "sign", "lo", "hi")
    fields = {name: getattr(act, name)[first:end] for name in names}
    if all(np.all(each == each[:1]) for each in fields.values()):
        fields = {name: each[:1] for name, each in fields.items()}
    return replace(act, **fields)


def _unchanged(act: Staircase) -> bool:
    if act.rows > 1:
        return False
    x = np.arange(int(act.lo[0]), int(act.hi[0]) + 1)
    return bool(np.array_equal(act.row(0, x), x))


def join(ctx: Context, op: Operation, tensors: Sequence[Tensor]) -> Tensor:
    """The chain of `concat`; the last makes the operation's output."""
    joined = tensors[0]
    for position, tensor in enumerate(tensors[1:], start=2):
        joined = ctx.add(op if position == len(tensors) else op.inner(), Concat, (joined, tensor))
    return joined


def concat(op: Operation, ctx: Context) -> Value:
    """Concat of constants, integers or reals."""
    count = len(op.inputs)
    axis = op.integer("axis", 0)
    if not 1 <= count <= MAX_INPUTS:
        raise Unsupported(f"{count} inputs; up to {MAX_INPUTS} are supported")
    values = [ctx.value(op, i) for i in range(count)]
    if all(isinstance(value, Const) for value in values):
        return _constants([value.array for value in values if isinstance(value, Const)], axis)
    if count == 1:
        return values[0]
    if all(isinstance(value, Quant) for value in values):
        planes = [value for value in values if isinstance(value, Quant)]
        if len({value.dtype for value in planes}) > 1:
            raise Damaged("puts integers of different types together")
        tensors, index = _aligned(ctx, planes, axis)
        joined = join(ctx, op, tensors)
        return Quant(Plane(planes[0].dtype, joined.range, joined), index)
    if any(isinstance(value, Const) for value in values):
        raise Unsupported("a constant beside what is computed")
    return _reals(op, ctx, [planar(ctx, op, real_input(op, ctx, i)) for i in range(count)], axis)


def qlinear_concat(op: Operation, ctx: Context) -> Value:
    """com.microsoft QLinearConcat: Y's scale and zero point, then X, scale, zero point of each input."""
    count, rest = divmod(len(op.inputs) - 2, 3)
    if rest or not 1 <= count <= MAX_INPUTS:
        raise Unsupported(f"{len(op.inputs)} operands; 2 and 3 for each of up to {MAX_INPUTS} inputs")
    reals = []
    for i in range(count):
        value = ctx.quant(op, 2 + 3 * i)
        reals.append(dequantized_real(value, ctx.scheme(op, 3 + 3 * i, value.dtype)))
    out = ctx.scheme(op, 0, "")
    together = reals[0] if count == 1 else _reals(op, ctx, reals, op.integer("axis", 0), out)
    return quantized(ctx, op, together, out)


def _constants(arrays: list[np.ndarray], axis: int) -> Const:
    try:
        return Const(np.concatenate(arrays, axis=axis))
    except (ValueError, IndexError) as error:
        raise Damaged(f"constants that do not fit together: {error}") from error


def _reals(op: Operation, ctx: Context, reals: list[Real], axis: int, out: Scheme | None = None) -> Real:
    """The floats of all; as integers at once if they mean the same everywhere (and are wanted so)."""
    for real in reals:
        if not isinstance(real.source, PlaneSource):
            raise Unsupported("a result that is not quantised; put QuantizeLinear before it")
        if real.noise is not None or real.doubt:
            raise Unsupported("floats that are not exactly a function of integers; quantise them first")
    planes = [Quant(r.source.plane, r.index) for r in reals if isinstance(r.source, PlaneSource)]
    tensors, index = _aligned(ctx, planes, axis)
    source = ConcatSource(tensors)
    first = reals[0]
    scheme = first.scheme if all(real.scheme == first.scheme for real in reals) else None
    if _alike(reals, tensors) and out in (None, scheme):
        plane = source.once(ctx, op.inner(), None, scheme or Scheme(1.0, 0, planes[0].dtype))
        return replace(first, source=PlaneSource(plane), index=index, scheme=scheme, fused=None, sign_of=None)
    ends = np.cumsum([0, *(t.shape[2] for t in tensors)])

    def chain(q: Ints) -> Floats:
        parts = [q[a:b] for a, b in pairwise(ends)]
        return np.concatenate([np.broadcast_to(r.chain(x), x.shape) for r, x in zip(reals, parts)])

    return Real(source, chain, index, rounds=any(real.rounds for real in reals))


def _alike(reals: list[Real], tensors: Sequence[Tensor]) -> bool:
    """Whether every integer that any of them has means the same float in all."""
    lo, hi = min(t.range.lo for t in tensors), max(t.range.hi for t in tensors)
    if hi - lo >= MAX_VALUES or any(len(real.source.lo) > 1 for real in reals):
        return False
    q = np.arange(lo, hi + 1, dtype=np.int64)[None, :]
    with np.errstate(all="ignore"):
        floats = [np.asarray(real.chain(q)) for real in reals]
    return all(np.array_equal(floats[0], each) for each in floats[1:])


def _aligned(ctx: Context, values: Sequence[Quant], axis: int) -> tuple[list[Tensor], Index]:
    """The tensors, as images or vectors, and the index of what they become."""
    rank = values[0].index.ndim
    if any(value.index.ndim != rank for value in values):
        raise Damaged("puts tensors of different ranks together")
    if rank not in (2, 4) or axis not in (1, 1 - rank):
        raise Unsupported(f"axis {axis} of rank {rank}; the channels of (1, C, H, W) or (1, C) are supported")
    if rank == 4:
        tensors = [ctx.image(value) for value in values]
    else:
        seen = [ctx.rows(value) for value in values]
        if any(columns is not None for _, columns in seen):
            raise Unsupported("vectors whose elements stream in another order than the model's")
        tensors = [tensor for tensor, _ in seen]
    if any(tensor.shape[:2] != tensors[0].shape[:2] for tensor in tensors):
        raise Damaged(f"puts {', '.join(str(t.shape) for t in tensors)} together")
    height, width, _ = tensors[0].shape
    channels = sum(tensor.shape[2] for tensor in tensors)
    dims = (1, channels, height, width) if rank == 4 else (1, channels)
    return tensors, arranged((height, width, channels), dims)


IMPORTERS = {"Concat": concat, "QLinearConcat": qlinear_concat}
