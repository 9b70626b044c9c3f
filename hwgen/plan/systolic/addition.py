"""Residual addition: two tensors weighted with small integers, exact on every pair of values.

act(T0[a] + T1[b]) is found again as one requantisation of wa * a + wb * b. A weight of more than 8 bits is
two digits of a pass each, w = high * 2^7 + low. At 8 bits there are 65,536 pairs: the proof is to try them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hwgen.layers.add.op import Add
from hwgen.numeric.ranges import Range
from hwgen.numeric.requantise import Form, Requantised, fit_gaps
from hwgen.numeric.rounding import Ints
from hwgen.plan.systolic.fit import Unfit, form_of
from hwgen.plan.systolic.job import Job, Nest, TooMuch, block_stream
from hwgen.plan.systolic.layout import View
from hwgen.plan.systolic.tiling import LONGEST, Tiler
from hwgen.program.array import Array
from hwgen.program.instructions import WIDEN

DIGIT = 1 << WIDEN
MOVES = (0, 1, -1, 2, -2, 3, -3, 5, -5, 8, -8)  # of the sums' origin, which the runtime's roundings may want
MOVED = 60  # pairs of weights that are tried with them


@dataclass(frozen=True, eq=False)
class Weighing:
    """wa * a + wb * b + constant, requantised by `fit`; a, b are bytes. digits: of the larger weight."""

    weights: tuple[int, int]
    digits: int
    constant: int
    fit: Requantised


def weighing(node: Add, values: tuple[Ints, Ints], offsets: tuple[int, int, int], array: Array) -> Weighing:
    """values: all that each input can be. offsets: of the bytes of a, b, the output. Unfit: none is exact."""
    if node.act.rows != 1 or node.act.pixel_rows is not None:
        raise Unfit("adds with an activation a channel")
    a, b = values
    fa = node.tables[0][a - node.offsets[0]]
    fb = node.tables[1][b - node.offsets[1]]
    out = node.act(np.add.outer(fa, fb)[..., None])[..., 0] - offsets[2]
    if out.min() < -128 or out.max() > 127:
        raise Unfit(f"values of {out.min()} to {out.max()}, no bytes")
    slopes = _slope(a, fa), _slope(b, fb)
    origins = _origin(a, fa, slopes[0]), _origin(b, fb, slopes[1])
    order = np.argsort(out, axis=None, kind="stable")
    levels, starts = np.unique(out.ravel()[order], return_index=True)
    if int(node.act.sign[0]) < 0 and len(levels) > 1:
        raise Unfit("its activation falls")
    form = form_of(array)
    zero = int(np.clip(node.act.row(0, np.array(0)) - offsets[2], -128, 127))
    near = 0
    for digits, wa, wb in _candidates(slopes, array):
        if len(a) == 1 or len(b) == 1:
            wa, wb = (wa, 0) if len(b) == 1 else (0, wb)
        sums = np.add.outer(wa * (a - origins[0]), wb * (b - origins[1])).ravel()[order]
        lowest, highest = np.minimum.reduceat(sums, starts), np.maximum.reduceat(sums, starts)
        if np.any(highest[:-1] >= lowest[1:]):
            continue
        constant = wa * (offsets[0] - origins[0]) + wb * (offsets[1] - origins[1])
        near += 1
        for move in MOVES if near <= MOVED else (0,):
            fit = _fit(levels, lowest + move, highest + move, zero, constant + move, form)
            if fit is not None:
                return Weighing((wa, wb), digits, constant + move, fit)
    raise Unfit("no two weights of 14 bits and one requantisation are its sums")


def _slope(values: Ints, table: Ints) -> float:
    span = int(values[-1] - values[0])
    return float(table[-1] - table[0]) / span if span else 0.0


def _origin(values: Ints, table: Ints, slope: float) -> int:
    """The value whose table entry is nearest to nothing, continued where the table has none."""
    return round(int(values[0]) - float(table[0]) / slope) if slope else int(values[0])


def _candidates(slopes: tuple[float, float], array: Array) -> Iterator[tuple[int, int, int]]:
    """(digits, wa, wb): of one digit from the largest, then of two, the best ratios first."""
    large = max(slopes)
    if large == 0:
        yield 1, 0, 0
        return
    ratio = [each / large for each in slopes]
    for scale in range(DIGIT - 1, 0, -1):
        yield 1, round(scale * ratio[0]), round(scale * ratio[1])
    limit = min(DIGIT * (DIGIT - 1), ((1 << (array.operand - 1)) - 1) // 300)
    scales = np.arange(DIGIT, limit)
    error = sum(np.abs(scales * r - np.rint(scales * r)) for r in ratio) / scales
    for scale in scales[np.argsort(error, kind="stable")][:1500]:
        yield 2, round(float(scale) * ratio[0]), round(float(scale) * ratio[1])


def _fit(
    levels: Ints, lowest: Ints, highest: Ints, zero: int, constant: int, form: Form
) -> Requantised | None:
    """The requantisation of sums that reach levels[i] from lowest[i] to highest[i], if there is one."""
    limits = Range(int(levels[0]), int(levels[-1]))
    gaps = np.diff(levels)
    values = np.arange(levels[0] + 1, levels[-1] + 1)
    below, reached = np.repeat(highest[:-1], gaps), np.repeat(lowest[1:], gaps)
    return fit_gaps(values, below, reached, form, zero, limits, constant)


def addition(numbers: Weighing, a: View, b: View, out: View, array: Array) -> list[Job]:
    """Passes of tensor a, tensor b for each digit; words of a row are outputs of the same requantisation."""
    height, _, channels = out.shape
    width = out.shape[1] * -(-channels // array.columns)
    rows = (a.row, out.row)
    flat = all(view.row == width * array.columns for view in (a, out))
    if flat or height == 1:
        total = height * width
        width = next(n for n in range(min(total, LONGEST, array.depth), 0, -1) if total % n == 0)
        height, rows = total // width, (width * array.columns,) * 2
    tiler = Tiler(array, 2 * numbers.digits, 1, lambda r, c: r * c)
    runs = []
    for tiles in tiler.cover(height, width):
        first = tiles.y * rows[0] + tiles.x * array.columns
        runs.append(
            Nest(
                x=a.address + first,
                n=((tiles.columns, array.columns), (tiles.rows, rows[0])),
                p=((2, b.address - a.address), (numbers.digits, 0)),
                b=(1, 0),
                t=(tiles.count, tiles.rows * rows[0]),
                o=out.address + tiles.y * rows[1] + tiles.x * array.columns,
                d=((tiles.columns, array.columns), (tiles.rows, rows[1])),
                index=(1, tiles.columns),
                ot=tiles.rows * rows[1],
            ).run(numbers.fit, depthwise=True, widen=numbers.digits > 1)
        )
    digits = [divmod(w, DIGIT) if numbers.digits > 1 else (w,) for w in numbers.weights]
    stream = np.zeros((numbers.digits, 2, array.rows, array.columns), dtype=np.int64)
    for tensor in (0, 1):
        for place in range(numbers.digits):
            stream[place, tensor, 0] = digits[tensor][place]
    every = np.zeros(array.columns, dtype=np.int64)
    constant = np.array([numbers.constant], dtype=np.int64)
    words = stream.reshape(-1, array.columns)
    return [Job(runs, [block_stream(numbers.fit, constant, every, words, array)])]


def check_views(a: View, b: View) -> None:
    """TooMuch if the two do not lie alike."""
    if (a.row, a.pixel) != (b.row, b.pixel) and a.shape[0] * a.shape[1] > 1:
        raise TooMuch("adds two tensors whose pixels do not lie alike")
