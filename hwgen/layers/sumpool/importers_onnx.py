"""Average pools and means over the image, float between Dequantize and Quantize, and QLinear.

QLinearGlobalAveragePool is integer: requantise(sum - zx*n) with float32 scale sx/(sy*n): exact.
AveragePool, QLinearAveragePool, GlobalAveragePool and ReduceMean add *dequantised float32 values* one
by one, so each addition rounds, and the result is not quite a function of the integer sum. The rule
here is the same float32 chain on the exact sum: float32(sum) * sx, / n, / sy. It differs from the
runtime only where the mean lies within float32 noise of a tie: rare when sx/sy is arbitrary; with
sx = sy every n-th sum (n even) is a tie that the noise of the runtime's additions decides, and this
chain meets 86% of them for n = 4, 61% for n = 120 (measured). Exact where the sums are exact in
float32 (scales of few bits, such as powers of two).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hwgen.ir.node import IllegalNode
from hwgen.ir.tensor import Shape, Tensor
from hwgen.layers.onnx_operation import Damaged, Operation, Unsupported
from hwgen.layers.onnx_strength import boxed, channel_strength
from hwgen.layers.onnx_values import (
    Context,
    Grid,
    Index,
    Plane,
    Quant,
    Real,
    Source,
    Value,
    arranged,
    integer_result,
)
from hwgen.layers.onnx_window import check_inside, kernel_shape, window
from hwgen.layers.requantize_onnx import Chain, Scheme, exact_in_float32, requantize
from hwgen.layers.sumpool.op import SumPool
from hwgen.layers.window import Window
from hwgen.numeric.rounding import Ints
from hwgen.numeric.staircase import Staircase


class SumSource(Source):
    """Window sums of raw integers; a row for every number of pixels that a window sees inside the image.

    counts: (rows,) those numbers; divisors: (rows,) what the runtime divides by."""

    def __init__(self, x: Tensor, shape: Window, include_border: bool) -> None:
        height, width = (_seen(x.shape[:2], shape, axis) for axis in (0, 1))
        seen = height[:, None] * width[None, :]
        self.counts, rows = np.unique(seen, return_inverse=True)
        pixel_rows = rows.reshape(seen.shape) if len(self.counts) > 1 else None
        super().__init__(self.counts * x.range.lo, self.counts * x.range.hi, pixel_rows)
        area = shape.kernel[0] * shape.kernel[1]
        self.divisors = np.full_like(self.counts, area) if include_border else self.counts
        self.x, self.window = x, shape
        self.per_channel = pixel_rows is None

    def centred(self, acc: Ints, zero_point: float) -> NDArray:
        """Sums of (q - zero_point); acc is (rows, n), one row per count."""
        return acc - (zero_point * self.counts)[:, None]

    def emit(self, ctx: Context, op: Operation, act: Staircase | None, out: Scheme) -> Plane:
        """The pool with its division."""
        tensor = ctx.add(op, SumPool, (self.x,), window=self.window, act=act)
        return Plane(out.dtype, tensor.range, tensor)

    def shape(self, ctx: Context) -> Shape:
        """(H, W, C) after pooling."""
        return (*self.window.output_size(self.x.shape[:2]), self.x.shape[2])


def _seen(size: Shape | tuple[int, int], shape: Window, axis: int) -> Ints:
    """How many pixels along an axis each window position has inside the image."""
    outputs = shape.output_size(size)[axis]
    start = np.arange(outputs, dtype=np.int64) * shape.stride[axis] - shape.pad[2 * axis]
    return np.minimum(start + shape.kernel[axis], size[axis]) - np.maximum(start, 0)


def average_pool(op: Operation, ctx: Context) -> Value:
    """AveragePool between Dequantize and Quantize."""
    box = boxed(op, ctx)
    if box is not None:
        return box
    x, grid = ctx.grid(op, 0)
    source = _pool(op, ctx.image(x))
    return _mean(ctx, source, grid, _image_index(source.shape(ctx)), integer_global=False)


def global_average_pool(op: Operation, ctx: Context) -> Value:
    """GlobalAveragePool between Dequantize and Quantize."""
    x, grid = ctx.grid(op, 0)
    source = _whole(ctx.image(x))
    return _mean(ctx, source, grid, _image_index(source.shape(ctx)), integer_global=True)


def reduce_mean(op: Operation, ctx: Context) -> Value:
    """ReduceMean over both image axes, or of absolute values over the channels."""
    axes = ctx.integers(op, 1, "axes") if op.has(1) else op.integers("axes")
    if axes in ([1], [-3]) and ctx.runtime == "qonnx":
        return channel_strength(op, ctx, mean=True)
    x, grid = ctx.grid(op, 0)
    rank = x.index.ndim
    if rank != 4 or axes is None:
        raise Unsupported("a mean over anything but the two image axes")
    if any(not -rank <= a < rank for a in axes):
        raise Damaged(f"axes {axes} of a tensor of rank {rank}")
    over = sorted(a % rank for a in axes)
    if over not in ([1, 2], [2, 3]):
        raise Unsupported(f"a mean over axes {over}; both image axes are supported")
    if over == [1, 2]:  # channel-last in the model
        x = Quant(x.plane, x.index.transpose(0, 3, 1, 2))
    source = _whole(ctx.image(x))
    channels = source.x.shape[2]
    kept = {True: (1, channels, 1, 1) if over == [2, 3] else (1, 1, 1, channels), False: (1, channels)}
    dims = kept[bool(op.integer("keepdims", 1))]
    return _mean(ctx, source, grid, np.arange(channels, dtype=np.int32).reshape(dims), integer_global=False)


def qlinear_average_pool(op: Operation, ctx: Context) -> Value:
    """com.microsoft QLinearAveragePool: X, scale, zero point, Y's scale, zero point."""
    if op.integer("channels_last", 0):
        raise Unsupported("channels_last")
    x = ctx.quant(op, 0)
    scheme, out = ctx.scheme(op, 1, x.dtype), ctx.scheme(op, 3, x.dtype)
    source = _pool(op, ctx.image(x))
    rule = _float_rule(source, scheme, out)
    return integer_result(ctx, op, source, rule, out, _image_index(source.shape(ctx)))


def qlinear_global_average_pool(op: Operation, ctx: Context) -> Value:
    """com.microsoft QLinearGlobalAveragePool: X, scale, zero point, Y's scale, zero point."""
    x = ctx.quant(op, 0)
    if op.integer("channels_last", 0):
        if x.index.ndim != 4:
            raise Unsupported(f"a global pool of rank {x.index.ndim}")
        x = Quant(x.plane, x.index.transpose(0, 3, 1, 2))
    scheme, out = ctx.scheme(op, 1, x.dtype), ctx.scheme(op, 3, x.dtype)
    source = _whole(ctx.image(x))
    channels = source.x.shape[2]
    dims = (1, 1, 1, channels) if op.integer("channels_last", 0) else (1, channels, 1, 1)
    index = np.arange(channels, dtype=np.int32).reshape(dims)
    return integer_result(ctx, op, source, _integer_rule(source, scheme, out), out, index)


def _pool(op: Operation, x: Tensor) -> SumSource:
    shape, dilation = window(op, x.shape[:2], kernel_shape(op))
    if dilation != (1, 1):
        raise Unsupported("an average with dilation")
    check_inside(shape)
    include = bool(op.integer("count_include_pad", 0))
    if include and op.integer("ceil_mode", 0):
        raise Unsupported("count_include_pad together with ceil_mode")
    try:
        return SumSource(x, shape, include)
    except IllegalNode as error:
        raise Damaged(str(error)) from error


def _whole(x: Tensor) -> SumSource:
    return SumSource(x, Window(kernel=(x.shape[0], x.shape[1])), False)


def _mean(ctx: Context, source: SumSource, grid: Grid, index: Index, integer_global: bool) -> Real:
    if grid.unit.size > 1 or grid.shift.size > 1:
        raise Unsupported("a mean of activations with a scale per channel")
    real = Real(source, _means(source, float(grid.unit[0]), -float(grid.shift[0])), index)
    scheme = grid.scheme
    largest = max(abs(source.x.range.lo + grid.shift[0]), abs(source.x.range.hi + grid.shift[0]))
    if ctx.runtime == "qonnx" and not exact_in_float32(grid.unit / 2, int(2 * largest * source.counts.max())):
        real.noise = (source.counts * largest * 2.0**-23)[:, None]
    if ctx.runtime == "ort-fused" and scheme is not None:
        make = _integer_rule if integer_global else _float_rule
        real.fused = lambda out: (source, make(source, scheme, out)) if out.dtype == scheme.dtype else None
    return real


def _means(source: SumSource, unit: float, zero_point: float) -> Chain:
    """float32(sum) * scale / n."""
    divisors = source.divisors[:, None].astype(np.float32)
    scale = np.float32(unit)
    return lambda acc: source.centred(acc, zero_point).astype(np.float32) * scale / divisors


def _float_rule(source: SumSource, scheme: Scheme, out: Scheme) -> Callable[[Ints], Ints]:
    """rint(mean / sy + zy) as QLinearAveragePool writes it: the zero point is added before rounding."""
    means = _means(source, scheme.scale, scheme.zero_point)
    limits = out.limits

    def rule(acc: Ints) -> Ints:
        steps = means(acc) / np.float32(out.scale) + np.float32(out.zero_point)
        return np.rint(np.clip(steps, limits.lo, limits.hi)).astype(np.int64)

    return rule


def _integer_rule(source: SumSource, scheme: Scheme, out: Scheme) -> Callable[[Ints], Ints]:
    scale = np.float32(scheme.scale) / (np.float32(out.scale) * np.float32(source.counts[0]))
    return lambda acc: requantize(source.centred(acc, scheme.zero_point), scale, out)


def _image_index(shape: Shape) -> Index:
    return arranged(shape, (1, shape[2], shape[0], shape[1]))


IMPORTERS = {
    "AveragePool": average_pool,
    "GlobalAveragePool": global_average_pool,
    "ReduceMean": reduce_mean,
    "QLinearAveragePool": qlinear_average_pool,
    "QLinearGlobalAveragePool": qlinear_global_average_pool,
}
