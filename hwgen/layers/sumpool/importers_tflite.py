"""AVERAGE_POOL_2D and MEAN of TFLite. Source: TFLite reference pooling.h, TFLite Micro reduce.cc."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hwgen.layers.sumpool.op import SumPool
from hwgen.layers.tflite import (
    Context,
    Operation,
    activation_limits,
    check_activations,
    check_fused,
    check_same_type,
    check_window,
    padding,
)
from hwgen.layers.window import Window
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints
from hwgen.numeric.staircase import Staircase, from_function


def check_average(op: Operation) -> Iterator[str]:
    """Complaints about an AVERAGE_POOL_2D."""
    x = op.input(0)
    yield from check_activations(op, x, op.output)
    yield from check_same_type(op, x, op.output)
    yield from check_fused(op)
    yield from check_window(op)
    if op.options["filter_h"] < 1 or op.options["filter_w"] < 1:
        yield f"window of {op.options['filter_h']}x{op.options['filter_w']}"


def build_average(op: Operation, ctx: Context) -> None:
    """Sum, then division by the number of pixels that lie inside the image."""
    x = ctx.tensor(op.input(0))
    kernel = (op.options["filter_h"], op.options["filter_w"])
    stride = (op.options["stride_h"], op.options["stride_w"])
    window = Window(kernel, stride, padding(op, (x.shape[0], x.shape[1]), kernel))
    node = SumPool(**ctx.place(op), inputs=(x.name,), window=window)
    node.act = division(areas(window, x.shape[:2]), x.range, activation_limits(op))
    ctx.add(op, node)


def areas(window: Window, size: tuple[int, int]) -> Ints:
    """(OH, OW): how many of a window's pixels lie inside an image (H, W)."""
    ones = np.ones((*size, 1), dtype=np.int64)
    return np.add.reduce([seen for _, _, seen in window.taps(ones, 0)])[..., 0]


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


CHECKS = {"AVERAGE_POOL_2D": check_average}
IMPORTERS = {"AVERAGE_POOL_2D": build_average}
