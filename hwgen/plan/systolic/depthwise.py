"""Depthwise convolution: a kernel's row lies along the array's rows, pixels pass it one after the other."""

from __future__ import annotations

import numpy as np

from hwgen.layers.window import Window
from hwgen.numeric.rounding import Ints
from hwgen.plan.systolic.fit import Numbers
from hwgen.plan.systolic.job import Job, Nest, TooMuch, block_stream, digits_of
from hwgen.plan.systolic.layout import View
from hwgen.plan.systolic.tiling import LONGEST, Tiler
from hwgen.program.array import Array


def depthwise(window: Window, numbers: Numbers, x: View, out: View, array: Array) -> list[Job]:
    """acc[y, x, c] over taps; weights (KH, KW, C), or one channel for all. TooMuch where loops are too long.

    Stride 1: a tile's pixels are consecutive, rows with the halo between them, and several rows of a small
    image's kernel may fit the array at once. Else a tile's rows are read row by row. Weights beyond 8 bits
    take all passes twice: w = a + b, both of 8 bits.
    """
    kh, kw = window.kernel
    sy, sx = window.stride
    top, _, left, _ = window.pad
    height, width, channels = out.shape
    pitch = x.row // x.pixel if x.row % x.pixel == 0 else 0
    linear = bool(sx == 1 and sy == 1 and pitch)
    together = 1
    if linear and kw <= array.rows:
        together = min(kh, (array.rows - kw) // pitch + 1)
    groups = -(-kw // array.rows)
    whole = _taps(numbers.weights, channels, together, pitch, groups, array)
    blocks = -(-channels // array.columns)
    if blocks > LONGEST or groups > LONGEST or len(whole) > LONGEST:
        raise TooMuch(f"{channels} channels and a kernel of {kh}x{kw}")
    two = bool(whole.min() < -128 or whole.max() > 127)
    if two and groups > 1:
        raise TooMuch(f"weights beyond 8 bits with a kernel of {kh}x{kw}")
    taps = np.stack(digits_of(whole, 1 + two))
    p = ((groups, array.rows * x.pixel), (len(whole), together * x.row))
    p = (p[1], (2, 0)) if two else p
    reach = (together - 1) * pitch + min(kw, array.rows) - 1

    def steps(rows: int, columns: int) -> int:
        if linear:
            return (rows - 1) * pitch + columns + reach
        return rows * ((columns - 1) * sx + 1 + reach)

    tiler = Tiler(array, p[0][0] * p[1][0], blocks, steps)
    covered = tiler.cover(height, width)
    if not covered:
        raise TooMuch(f"a kernel of {kh}x{kw} wants more than {array.depth} accumulators")
    runs = []
    for tiles in covered:
        first = x.address + (tiles.y * sy - top) * x.row + (tiles.x * sx - left) * x.pixel
        if linear:
            n: tuple[tuple[int, int], ...] = ((steps(tiles.rows, tiles.columns), x.pixel),)
            across = pitch
        else:
            across = (tiles.columns - 1) * sx + 1 + reach
            n = ((across, x.pixel), (tiles.rows, sy * x.row))
        runs.append(
            Nest(
                x=first,
                n=n,
                p=p,
                b=(blocks, array.columns),
                t=(tiles.count, tiles.rows * sy * x.row),
                o=out.address + tiles.y * out.row + tiles.x * out.pixel,
                d=((tiles.columns, out.pixel), (tiles.rows, out.row)),
                index=(sx, across),
                ob=array.columns,
                ot=tiles.rows * out.row,
            ).run(numbers.fit, depthwise=True)
        )
    weights = []
    for block in range(blocks):
        columns = np.arange(block * array.columns, (block + 1) * array.columns)
        stream = taps[..., columns].reshape(-1, array.columns)
        used = np.where(columns < channels, columns, -1)
        if len(numbers.constant) == 1:
            used = np.minimum(used, 0)
        weights.append(block_stream(numbers.fit, numbers.constant, used, stream, array))
    return [Job(runs, weights)]


def _taps(weights: Ints, channels: int, together: int, pitch: int, groups: int, array: Array) -> Ints:
    """(passes of kernel rows, groups, rows, channels up to whole blocks): a tap's place is its row."""
    kh, kw, _ = weights.shape
    spread = np.broadcast_to(weights, (kh, kw, channels))
    passes = -(-kh // together)
    taps = np.zeros((passes, groups * array.rows, -(-channels // array.columns) * array.columns), np.int64)
    for i in range(kh):
        start = i % together * pitch
        taps[i // together, start : start + kw, :channels] = spread[i]
    return taps.reshape(passes, groups, array.rows, -1)
