"""AVERAGE_POOL_2D and MEAN of TFLite. Source: TFLite reference pooling.h, TFLite Micro reduce.cc."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hwgen.layers.requantize import requantize_fixed
from hwgen.layers.reshape.op import Reshape
from hwgen.layers.sumpool.op import SumPool
from hwgen.layers.tflite import (
    Context,
    Operation,
    activation_limits,
    check_activations,
    check_pool,
    check_same_type,
    constant_integers,
    window_of,
)
from hwgen.layers.window import Window
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints, quantize_multiplier
from hwgen.numeric.staircase import Staircase, from_function


def build_average(op: Operation, ctx: Context) -> None:
    """Sum, then division by the number of pixels that lie inside the image."""
    x = ctx.tensor(op.input(0))
    window = window_of(op, x)
    node = SumPool(**ctx.place(op), inputs=(x.name,), window=window)
    node.act = division(areas(window, x.shape[:2]), x.range, activation_limits(op))
    ctx.add(op, node)


def areas(window: Window, size: tuple[int, int]) -> Ints:
    """(OH, OW): how many of a window's pixels lie inside an image (H, W)."""
    out = window.output_size(size)
    sides = []
    for axis in (0, 1):
        first = np.arange(out[axis], dtype=np.int64) * window.stride[axis] - window.pad[2 * axis]
        sides.append(np.minimum(first + window.kernel[axis], size[axis]) - np.maximum(first, 0))
    return sides[0][:, None] * sides[1][None, :]


def division(counts: Ints, x: Range, clamp: Range) -> Staircase:
    """sum / count, halves away from zero, clamped; a row per count where counts differ."""
    different, rows = np.unique(counts, return_inverse=True)
    n = different[:, None]

    def f(total: Ints) -> Ints:
        rounded = np.where(total > 0, total + n // 2, total - n // 2)
        quotient = np.where(rounded >= 0, rounded // n, -((-rounded) // n))
        return np.clip(quotient, clamp.lo, clamp.hi)

    pixel_rows = rows.reshape(counts.shape) if len(different) > 1 else None
    return from_function(f, different * x.lo, different * x.hi, pixel_rows)


def check_mean(op: Operation) -> Iterator[str]:
    """Complaints about a MEAN."""
    x, out = op.input(0), op.output
    yield from check_activations(op, x, out)
    yield from check_same_type(op, x, out)
    axes = _axes(op)
    if axes is None:
        yield "axes must be a constant"
    elif not axes or not axes <= _spatial(len(x.shape)):
        yield f"axes {sorted(axes)} of rank {len(x.shape)}; only means over height and width are supported"


def _axes(op: Operation) -> set[int] | None:
    values = constant_integers(op.optional(1))
    rank = len(op.input(0).shape)
    return None if values is None else {a + rank if a < 0 else a for a in values}


def _spatial(rank: int) -> set[int]:
    """Dimensions that are height or width in a shape of this rank (batch first, channels last)."""
    return set(range(1, rank - 1))


def build_mean(op: Operation, ctx: Context) -> None:
    """The window is the whole height, width or both. A reshape where the file drops the dimensions."""
    x = ctx.tensor(op.input(0))
    axes = _axes(op) or set()
    rank = len(op.input(0).shape)
    kernel = (x.shape[0] if rank - 3 in axes else 1, x.shape[1] if rank - 2 in axes else 1)
    window = Window(kernel, kernel)
    shape = (x.shape[0] // kernel[0], x.shape[1] // kernel[1], x.shape[2])
    dropped = shape != op.output.image
    node = SumPool(**ctx.place(op, inside=dropped), inputs=(x.name,), window=window)
    node.act = mean_division(op, kernel[0] * kernel[1], x.range)
    result = ctx.add(op, node)
    if dropped:
        ctx.add(op, Reshape(**ctx.place(op), inputs=(result.name,), shape=op.output.image))


def mean_division(op: Operation, count: int, x: Range) -> Staircase:
    """(sum - count * zero_in) * scale_in / (scale_out * count) + zero_out, as the runtime rounds it.

    The division is part of the fixed-point multiplier: m * 2^floor(log2 count) / count, truncated.
    """
    a, out = op.input(0), op.output
    multiplier, shift = quantize_multiplier(float(a.scale) / float(out.scale))
    bits = min(count.bit_length() - 1, 32, 31 + shift)
    multiplier = (multiplier << bits) // count
    return requantize_fixed(
        count * x.lo,
        count * x.hi,
        multiplier,
        shift - bits,
        out.zero_point,
        out.limits,
        offset=-count * a.zero_point,
    )


CHECKS = {"AVERAGE_POOL_2D": check_pool, "MEAN": check_mean}
IMPORTERS = {"AVERAGE_POOL_2D": build_average, "MEAN": build_mean}
