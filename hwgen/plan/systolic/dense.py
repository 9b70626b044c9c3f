"""Convolutions, fully connected layers: a kernel row's bytes, side by side in memory, meet the rows."""

from __future__ import annotations

import numpy as np

from hwgen.layers.conv.op import Conv
from hwgen.numeric.rounding import Ints
from hwgen.plan.systolic.fit import Numbers
from hwgen.plan.systolic.job import Job, Loop, Nest, TooMuch, block_stream
from hwgen.plan.systolic.layout import View
from hwgen.plan.systolic.tiling import LONGEST, Tiler
from hwgen.program.array import Array


def dense(node: Conv, numbers: Numbers, x: View, out: View, array: Array) -> Job:
    """acc[y, x, o] over K = kernel rows times words of a row's bytes. TooMuch where loops are too long."""
    sy, sx = node.window.stride
    top, _, left, _ = node.window.pad
    height, width, outputs = out.shape
    rows = _lanes(numbers.weights, x)
    run_bytes = rows.shape[2]
    words = -(-run_bytes // array.rows)
    passes, p = _passes(rows.shape[1], words, x.row, array.rows)
    blocks = -(-outputs // array.columns)
    if blocks > LONGEST:
        raise TooMuch(f"{outputs} outputs, at most {LONGEST * array.columns} are possible")
    tiler = Tiler(array, passes, blocks, lambda r, c: r * c)
    runs = []
    for tiles in tiler.cover(height, width):
        first = x.address + (tiles.y * sy - top) * x.row + (tiles.x * sx - left) * x.pixel
        runs.append(
            Nest(
                x=first,
                n=((tiles.columns, sx * x.pixel), (tiles.rows, sy * x.row)),
                p=p,
                b=(blocks, 0),
                t=(tiles.count, tiles.rows * sy * x.row),
                o=out.address + tiles.y * out.row + tiles.x * out.pixel,
                d=((tiles.columns, out.pixel), (tiles.rows, out.row)),
                index=(1, tiles.columns),
                ob=array.columns,
                ot=tiles.rows * out.row,
            ).run(numbers.fit)
        )
    padded = np.zeros((blocks * array.columns, rows.shape[1], words * array.rows), dtype=np.int64)
    padded[:outputs, :, :run_bytes] = rows
    weights = []
    for block in range(blocks):
        columns = np.arange(block * array.columns, (block + 1) * array.columns)
        stream = padded[columns].reshape(array.columns, -1).T
        used = np.where(columns < outputs, columns, -1)
        weights.append(block_stream(numbers.fit, numbers.constant, used, stream, array))
    return Job(runs, weights)


def _lanes(weights: Ints, x: View) -> Ints:
    """(outputs, runs, bytes of a run): weights by the bytes that they multiply, between them zeros.

    A run is a kernel's row; rows that follow without a gap are one run.
    """
    outputs, kh, kw, channels = weights.shape
    if kh > 1 and kw * x.pixel == x.row:
        spread = np.zeros((outputs, 1, kh * kw, x.pixel), dtype=np.int64)
        spread[..., :channels] = weights.reshape(outputs, 1, kh * kw, channels)
    else:
        spread = np.zeros((outputs, kh, kw, x.pixel), dtype=np.int64)
        spread[..., :channels] = weights
    lanes = spread.reshape(outputs, spread.shape[1], -1)
    return lanes[:, :, : lanes.shape[2] - (x.pixel - channels)]


def _passes(runs: int, words: int, row: int, size: int) -> tuple[int, tuple[Loop, ...]]:
    """Number of passes and their loops."""
    if runs == 1:
        inner = next((n for n in range(min(words, LONGEST), 0, -1) if words % n == 0), 1)
        if words // inner <= LONGEST:
            return words, ((inner, size), (words // inner, inner * size))
    if words > LONGEST or runs > LONGEST:
        raise TooMuch(f"a kernel of {runs} rows of {words} words, at most {LONGEST} each are possible")
    return runs * words, ((words, size), (runs, row))
