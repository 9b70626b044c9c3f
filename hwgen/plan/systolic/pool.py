"""Pools: sums or maxima over a window, all with the same weight, which stays in the array."""

from __future__ import annotations

import numpy as np

from hwgen.layers.window import Window
from hwgen.plan.systolic.fit import Numbers
from hwgen.plan.systolic.job import Job, Nest, TooMuch, block_stream
from hwgen.plan.systolic.layout import View
from hwgen.plan.systolic.tiling import LONGEST, Tiler
from hwgen.program.array import Array


def pool(window: Window, numbers: Numbers, x: View, out: View, array: Array, maximum: bool) -> list[Job]:
    """acc[y, x, c] = the window's sum (or maximum) times the weight. TooMuch where loops are too long.

    One requantisation for all channels: they are steps of one pass; else they are blocks.
    """
    kh, kw = window.kernel
    sy, sx = window.stride
    top, _, left, _ = window.pad
    height, width, channels = out.shape
    words = -(-channels // array.columns)
    shared = numbers.fit.multiplier.size == 1 and words <= min(LONGEST, array.depth)
    each, blocks = (words, 1) if shared else (1, words)
    if max(kh, kw, blocks) > LONGEST:
        raise TooMuch(f"a window of {kh}x{kw}, {channels} channels")
    if shared:
        tiler = Tiler(array, kh * kw, 1, lambda r, c: c * each if r == 1 else array.depth + 1, hold=True)
    else:
        tiler = Tiler(array, kh * kw, blocks, lambda r, c: r * c, hold=True)
    runs = []
    for tiles in tiler.cover(height, width):
        first = x.address + (tiles.y * sy - top) * x.row + (tiles.x * sx - left) * x.pixel
        if shared:
            n = ((each, array.columns), (tiles.columns, sx * x.pixel))
            d = ((each, array.columns), (tiles.columns, out.pixel))
            index = (1, each)
        else:
            n = ((tiles.columns, sx * x.pixel), (tiles.rows, sy * x.row))
            d = ((tiles.columns, out.pixel), (tiles.rows, out.row))
            index = (1, tiles.columns)
        runs.append(
            Nest(
                x=first, n=n, p=((kw, x.pixel), (kh, x.row)), b=(blocks, array.columns),
                t=(tiles.count, tiles.rows * sy * x.row),
                o=out.address + tiles.y * out.row + tiles.x * out.pixel,
                d=d, index=index, ob=array.columns, ot=tiles.rows * out.row,
            ).run(numbers.fit, depthwise=True, hold=True, maximum=maximum)
        )  # fmt: skip
    weights = []
    for block in range(blocks):
        columns = np.arange(block * array.columns, (block + 1) * array.columns)
        used = np.where(columns < channels, columns, -1)
        if numbers.fit.multiplier.size == 1:
            used = np.zeros(array.columns, dtype=np.int64)
        stream = np.zeros((array.rows, array.columns), dtype=np.int64)
        stream[0] = np.where(used >= 0, numbers.weights[0, 0, np.maximum(used, 0)], 0)
        weights.append(block_stream(numbers.fit, numbers.constant, used, stream, array))
    return [Job(runs, weights)]
