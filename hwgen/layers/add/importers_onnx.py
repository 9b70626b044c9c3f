"""Add and QLinearAdd of ONNX: exact to every pair of inputs.

Add runs in float32 on dequantised values: float32(da + db). QLinearAdd (and a fused Add) computes
fma(a, sa/sc, fma(b, sb/sc, zc - (za*sa/sc + zb*sb/sc))) with every product rounded where MLAS rounds.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hwgen.ir.tensor import Shape, Tensor
from hwgen.layers.add.op import Add
from hwgen.layers.add.tables import fit_pair_sum
from hwgen.layers.onnx_elementwise import constant_arithmetic
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
    integer_result,
)
from hwgen.layers.requantize_onnx import Floats, Scheme, fma
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints, ints
from hwgen.numeric.staircase import Staircase

MAX_VALUES = 256


class PairSource(Source):
    """Sum of two tensors: its integers are ranks, rank k being the k-th smallest float32 sum.

    fa, fb: the two terms by input value (doubles that hold them exactly); sums: (na, nb) float32 as the
    runtime rounds them; scaled: they are in output steps, zero point included.
    """

    per_channel = False
    bare = False

    def __init__(
        self, a: Tensor, b: Tensor, fa: NDArray, fb: NDArray, sums: Floats, scaled: bool = False
    ) -> None:
        self.ranked, ranks = np.unique(sums, return_inverse=True)
        self.ranks = ranks.reshape(sums.shape)
        super().__init__(ints([0]), ints([len(self.ranked) - 1]))
        self.a, self.b, self.fa, self.fb, self.scaled = a, b, fa, fb, scaled

    def value(self, rank: Ints) -> Floats:
        """The float32 sum of a rank."""
        return self.ranked[np.clip(rank, 0, len(self.ranked) - 1)]

    def emit(self, ctx: Context, op: Operation, act: Staircase | None, out: Scheme) -> Plane:
        """The addition with integer tables; the activation must rise."""
        if act is None or act.rows != 1 or (act.sign[0] < 0 and act.top[0] != act.base[0]):
            raise Unsupported("a sum whose quantiser is not one rising function for all channels")
        wanted = act.row(0, self.ranks.ravel()).reshape(self.ranks.shape)
        unit, zero = (1.0, 0) if self.scaled else (out.scale, out.zero_point)
        fit = fit_pair_sum(self.fa, self.fb, wanted, unit, zero)
        if fit is None:
            raise Unsupported("a sum whose terms differ too much in size")
        offsets = (self.a.range.lo, self.b.range.lo)
        tensor = ctx.add(op, Add, (self.a, self.b), tables=fit.tables, offsets=offsets, act=fit.act)
        return Plane(out.dtype, tensor.range, tensor)

    def shape(self, ctx: Context) -> Shape:
        """The inputs' shape."""
        return self.a.shape


def add(op: Operation, ctx: Context) -> Value:
    """Add of two dequantised tensors, or of one and a constant."""
    a, b = ctx.value(op, 0), ctx.value(op, 1)
    if isinstance(a, Const) or isinstance(b, Const):
        return constant_arithmetic(op, ctx, np.add)
    if not isinstance(a, Real) or not isinstance(b, Real):
        raise Unsupported("an addition of values that are not dequantised")
    a, b = (planar(ctx, op, real) for real in (a, b))
    for real in (a, b):
        if isinstance(real.source, PlaneSource) and len(real.source.lo) != 1:
            raise Unsupported("an addition of activations with a scale per channel; one for all is supported")
        if not isinstance(real.source, PlaneSource):
            raise Unsupported("an addition of a result that is not quantised; put QuantizeLinear before it")
    planes = tuple(Quant(r.source.plane, r.index) for r in (a, b) if isinstance(r.source, PlaneSource))
    x, y, index = _aligned(ctx, *planes)
    fa, fb = (real.chain(_domain(t.range))[0] for real, t in ((a, x), (b, y)))
    with np.errstate(over="ignore", invalid="ignore"):
        sums = fa[:, None] + fb[None, :]
    if not np.all(np.isfinite(sums)) or np.any(np.diff(fa) < 0) or np.any(np.diff(fb) < 0):
        raise Unsupported("an addition of a value that falls while its integer rises")
    source = PairSource(x, y, fa, fb, sums)
    real = Real(source, source.value, index)
    if ctx.runtime == "ort-fused" and a.scheme and b.scheme and a.scheme.dtype == b.scheme.dtype:
        schemes = a.scheme, b.scheme
        real.fused = lambda out: _integer_sum(x, y, *schemes, out)
    return real


def qlinear_add(op: Operation, ctx: Context) -> Value:
    """com.microsoft QLinearAdd: A, scale, zero point, B, scale, zero point, C's scale and zero point."""
    a, b = ctx.quant(op, 0), ctx.quant(op, 3)
    schemes = ctx.scheme(op, 1, a.dtype), ctx.scheme(op, 4, b.dtype)
    out = ctx.scheme(op, 6, a.dtype)
    x, y, index = _aligned(ctx, a, b)
    source, rule = _integer_sum(x, y, *schemes, out)
    return integer_result(ctx, op, source, rule, out, index)


def _integer_sum(
    x: Tensor, y: Tensor, sa: Scheme, sb: Scheme, out: Scheme
) -> tuple[PairSource, Callable[[Ints], Ints]]:
    """QLinearAdd as MLAS computes it: two fused multiply-adds on a constant part."""
    ra, rb = (np.float32(s.scale) / np.float32(out.scale) for s in (sa, sb))
    za, zb, zc = (np.float32(s.zero_point) for s in (sa, sb, out))
    fixed = zc - fma(ra, za, rb * zb)
    a, b = (_domain(t.range)[0] for t in (x, y))
    fa = a.astype(np.float64) * np.float64(ra)
    fb = fma(b, rb, fixed).astype(np.float64)
    sums = (fa[:, None] + fb[None, :]).astype(np.float32)
    if not np.all(np.isfinite(sums)):
        raise Damaged("scales so far apart that sums are infinite")
    source = PairSource(x, y, fa, fb, sums, scaled=True)
    limits = out.limits

    def rule(rank: Ints) -> Ints:
        return np.clip(np.rint(source.value(rank)), limits.lo, limits.hi).astype(np.int64)

    return source, rule


def _domain(limits: Range) -> Ints:
    """(1, n): every integer of a range."""
    if limits.hi - limits.lo >= MAX_VALUES:
        raise Unsupported(f"an addition of integers beyond 8 bits ({limits})")
    return np.arange(limits.lo, limits.hi + 1, dtype=np.int64)[None, :]


def _aligned(ctx: Context, a: Quant, b: Quant) -> tuple[Tensor, Tensor, Index]:
    """Both tensors in one shape and order, and the index of their sum."""
    if a.index.shape != b.index.shape:
        raise Unsupported(f"an addition of shapes {a.index.shape} and {b.index.shape}; broadcasting")
    (x, first), (y, second) = ctx.streamed(a), ctx.streamed(b)
    if not np.array_equal(first, second):
        raise Unsupported("an addition of tensors whose elements stream in different orders")
    return x, ctx.reshaped(y, x.shape), first


IMPORTERS = {"Add": add, "QLinearAdd": qlinear_add}
