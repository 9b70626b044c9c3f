"""XNOR-Net's K: means of |activations| over channels and a window, and what they scale.

    A = ReduceMean(Abs(x), axes=[1])    K = AveragePool(A) or Conv(A, constant box)    y = Conv(Sign(x), W) K

(Rastegari et al., 2016, section 3.2.) In integers: S, a sum of absolute values, and z, the binary
convolution's; y is a function of z * S, and one staircase of that product ends the chain. All sums must be
exact in float32 in any order; what comes after them is rounded as the chain says (layers/onnx_products.py).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwgen.layers.abssum.op import AbsSum
from hwgen.layers.onnx_elementwise import real_input
from hwgen.layers.onnx_entry import decode
from hwgen.layers.onnx_grid import gridded
from hwgen.layers.onnx_logarithm import MagnitudeSource
from hwgen.layers.onnx_operation import Damaged, Operation, Unsupported
from hwgen.layers.onnx_values import Const, Context, Plane, PlaneSource, Real, arranged
from hwgen.layers.onnx_window import check_inside, kernel_shape, window
from hwgen.layers.requantize_onnx import exact_in_float32
from hwgen.layers.sumpool.op import SumPool
from hwgen.layers.window import Window
from hwgen.numeric.rounding import Ints, ints
from hwgen.numeric.staircase import Staircase

MAX_STRENGTH = 1 << 20
"""Sums of absolute values up to here are tried one by one."""


class StrengthSource(PlaneSource):
    """A plane (H, W, 1) of sums of absolute values."""


def channel_strength(op: Operation, ctx: Context, mean: bool) -> Real:
    """ReduceMean or ReduceSum over the channels of NCHW: of absolute values."""
    real = real_input(op, ctx)
    if isinstance(real.source, MagnitudeSource):
        if real.chain is not decode:
            raise Unsupported("a sum over channels of a function of absolute values; of themselves it is")
        real, signed = real.source.inner, True
    else:
        signed = False
    if real.index.ndim != 4 or not op.integer("keepdims", 1):
        raise Unsupported("a sum over channels of anything but NCHW with keepdims")
    quant, grid = gridded(ctx, op, real, padded=True)
    zero = grid.zero_point
    if zero is None or grid.unit.size > 1:
        raise Unsupported("a sum over channels of values with a scale per channel, or without a 0")
    tensor = ctx.image(quant)
    if not signed and tensor.range.lo < zero:
        raise Unsupported("a sum over channels of values with a sign; Abs before it is supported")
    unit, channels = float(grid.unit[0]), tensor.shape[2]
    node = AbsSum(name="", inputs=(tensor.name,), output="", zero=zero)
    most = node.infer([tensor]).range.hi
    _check_exact(unit, most, "its activations' scale")
    strength = ctx.add(op, AbsSum, (tensor,), zero=zero)
    index = arranged(strength.shape, (1, 1, *strength.shape[:2]))
    divisor = np.float32(channels if mean else 1)

    def chain(total: Ints) -> NDArray:
        return (total * unit).astype(np.float32) / divisor

    return Real(StrengthSource(Plane("int32", strength.range, strength)), chain, index)


def boxed(op: Operation, ctx: Context) -> Real | None:
    """AveragePool of K's sums, or Conv with a box; None if it is about something else."""
    real = ctx.value(op, 0)
    if not isinstance(real, Real) or not isinstance(real.source, StrengthSource):
        return None
    x = ctx.place(real.source.plane)
    if op.kind == "Conv":
        shape, weight, divisor = _box(op, ctx, x.shape)
    else:
        shape, dilation = window(op, x.shape[:2], kernel_shape(op))
        check_inside(shape)
        if dilation != (1, 1) or op.integer("ceil_mode", 0):
            raise Unsupported("an average of K with dilation or ceil_mode")
        if any(shape.pad) and not op.integer("count_include_pad", 0):
            raise Unsupported("an average of K that leaves out the border; count_include_pad=1 is supported")
        weight, divisor = 1.0, shape.kernel[0] * shape.kernel[1]
    most = x.range.hi * shape.kernel[0] * shape.kernel[1]
    unit = _even_unit(real, x.range.hi)
    _check_exact(unit * weight, most, "the box's weights, or the number of channels,")
    shape.output_size(x.shape[:2], "K")
    _check_size(most)
    steps = np.arange(1, most + 1, dtype=np.int64)[None, :]
    identity = Staircase(steps, ints([0]), ints([1]), ints([0]), ints([most]))
    total = ctx.add(op, SumPool, (x,), window=shape, act=identity)
    index = arranged(total.shape, (1, 1, *total.shape[:2]))

    def chain(q: Ints) -> NDArray:
        return (q * (unit * weight)).astype(np.float32) / np.float32(divisor)

    return Real(StrengthSource(Plane("int32", total.range, total)), chain, index)


def _box(op: Operation, ctx: Context, size: tuple[int, int, int]) -> tuple[Window, float, int]:
    """(window, weight, divisor) of a Conv with one kernel of equal weights."""
    kernel = ctx.value(op, 1)
    if not isinstance(kernel, Const) or kernel.array.ndim != 4 or kernel.array.shape[:2] != (1, 1):
        raise Unsupported("a convolution of K by anything but one constant kernel")
    weights = kernel.array
    if np.any(weights != weights.flat[0]) or not np.isfinite(weights.flat[0]) or weights.flat[0] <= 0:
        raise Unsupported("a convolution of K with weights that differ; a box (a mean) is supported")
    if op.has(2) or op.integer("group", 1) != 1:
        raise Unsupported("a convolution of K with a bias or groups")
    if tuple(op.integers("kernel_shape") or weights.shape[2:]) != weights.shape[2:]:
        raise Damaged(f"kernel_shape contradicts weights of {weights.shape}")
    shape, dilation = window(op, size[:2], (weights.shape[2], weights.shape[3]))
    if dilation != (1, 1):
        raise Unsupported("a convolution of K with dilation")
    return shape, float(weights.flat[0]), 1


def _even_unit(real: Real, most: int) -> float:
    """The step of values that are its multiples to the last bit."""
    values = strengths(real, most).astype(np.float64)
    if np.any(values != np.arange(most + 1) * values[1]):
        raise Unsupported(
            "adds up means that float32 has rounded already; average over a power of two of channels, or put "
            "ReduceSum for ReduceMean and divide behind it"
        )
    return float(values[1])


def strengths(real: Real, most: int) -> NDArray:
    """K as float32 for every sum from 0 to the largest."""
    _check_size(most)
    return np.asarray(real.chain(np.arange(most + 1, dtype=np.int64)[None, :]), dtype=np.float32)[0]


def _check_size(most: int) -> None:
    if not 1 <= most <= MAX_STRENGTH:
        raise Unsupported(f"sums of absolute values up to {most}; up to {MAX_STRENGTH} are supported")


def _check_exact(unit: float, most: int, what: str) -> None:
    if not exact_in_float32(unit, most):
        raise Unsupported(
            f"adds up floats that round in float32, in an order of the runtime's own; {what} must be of few "
            "bits, such as a power of two (an AveragePool divides after its sum)"
        )
