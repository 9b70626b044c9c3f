"""Convolutions, fully connected layers: a kernel row's bytes, side by side in memory, meet the rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwgen.layers.conv.op import Conv
from hwgen.numeric.rounding import Ints
from hwgen.plan.systolic.fit import Numbers
from hwgen.plan.systolic.job import Job, Loop, Nest, TooMuch, block_stream, digit_counts, digits_of, spans
from hwgen.plan.systolic.layout import View
from hwgen.plan.systolic.tiling import LONGEST, Tiler
from hwgen.program.array import Array
from hwgen.program.instructions import Run


def dense(node: Conv, numbers: Numbers, x: View, out: View, array: Array) -> list[Job]:
    """acc[y, x, o] over K = kernel rows times words of a row's bytes. TooMuch where loops are too long.

    Blocks with weights beyond 8 bits take their passes twice: w = a + b, both of 8 bits.
    """
    outputs = out.shape[2]
    rows = _lanes(numbers.weights, x)
    run_bytes = rows.shape[2]
    words = -(-run_bytes // array.rows)
    blocks = -(-outputs // array.columns)
    padded = np.zeros((blocks * array.columns, rows.shape[1], words * array.rows), dtype=np.int64)
    padded[:outputs, :, :run_bytes] = rows
    digits = digit_counts(padded, array.columns)
    weights = []
    for block in range(blocks):
        columns = np.arange(block * array.columns, (block + 1) * array.columns)
        parts = digits_of(padded[columns], digits[block])
        stream = np.concatenate([each.reshape(array.columns, -1).T for each in parts])
        used = np.where(columns < outputs, columns, -1)
        weights.append(block_stream(numbers.fit, numbers.constant, used, stream, array))
    jobs = []
    for first, count in spans(digits):
        loops = _loops(rows.shape[1], words, x.row, array.rows, digits[first])
        runs = _runs(node, numbers, x, out, array, loops, (first, count))
        jobs.append(Job(runs, weights[first : first + count]))
    return jobs


def _runs(
    node: Conv, numbers: Numbers, x: View, out: View, array: Array, p: Sequence[Loop], span: tuple[int, int]
) -> list[Run]:
    """The Runs of the blocks of `span`, (first, count)."""
    sy, sx = node.window.stride
    top, _, left, _ = node.window.pad
    height, width, _ = out.shape
    block, blocks = span
    if blocks > LONGEST:
        raise TooMuch(f"{blocks} blocks of outputs, at most {LONGEST} are possible")
    passes = p[0][0] * p[1][0]
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
                o=out.address + tiles.y * out.row + tiles.x * out.pixel + block * array.columns,
                d=((tiles.columns, out.pixel), (tiles.rows, out.row)),
                index=(1, tiles.columns),
                ob=array.columns,
                ot=tiles.rows * out.row,
            ).run(numbers.fit)
        )
    return runs


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


def _loops(runs: int, words: int, row: int, size: int, digits: int) -> tuple[Loop, Loop]:
    """The loops of passes; weights of two digits want one of the two."""
    if runs == 1 and digits == 1:
        inner = next((n for n in range(min(words, LONGEST), 0, -1) if words % n == 0), 1)
        if words // inner <= LONGEST:
            return (inner, size), (words // inner, inner * size)
    if max(words, runs) > LONGEST:
        raise TooMuch(f"a kernel of {runs} rows of {words} words, at most {LONGEST} each are possible")
    if digits == 1:
        return (words, size), (runs, row)
    if min(runs, words) > 1:
        raise TooMuch(f"weights beyond 8 bits with a kernel of {runs} rows of {words} words")
    return ((words, size) if runs == 1 else (runs, row)), (digits, 0)
