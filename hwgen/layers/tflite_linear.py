"""What CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED of TFLite share: weights, bias, requantisation.

The runtime adds (x - zx) * (w - zw) and the bias in int32, multiplies by sx*sw/sy in fixed point,
adds zy and clamps. Here the weights lose zw at once, and -zx * sum(w) goes into the bias.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np
from numpy.typing import NDArray

from hwgen.layers.requantize import Rounding, requantize
from hwgen.layers.tflite import (
    Operand,
    Operation,
    activation_limits,
    check_activations,
    check_fused,
    check_same_type,
)
from hwgen.numeric.rounding import Ints
from hwgen.numeric.staircase import Staircase

_WEIGHT_TYPES = {"INT8": ("INT8", "INT4"), "UINT8": ("UINT8",)}
MAX_WEIGHTS, MAX_OUTPUTS = 1 << 24, 1 << 14


def check_linear(op: Operation, rank: int, axis: int) -> Iterator[str]:
    """Complaints about input, weights (of `rank`, outputs along `axis`), bias and output."""
    if len(op.inputs) < 2 or op.inputs[0] is None or op.inputs[1] is None:
        yield "needs an input and weights"
        return
    x, weights, bias = op.input(0), op.input(1), op.optional(2)
    yield from check_activations(op, x, op.output)
    yield from check_same_type(op, x, op.output)
    yield from check_fused(op)
    if weights.data is None or len(weights.shape) != rank or min(weights.shape, default=0) < 1:
        yield f"weights {weights} must be a constant of rank {rank}"
        return
    if weights.dtype not in _WEIGHT_TYPES.get(x.dtype, (weights.dtype,)):
        yield f"weights {weights} are {weights.dtype} for {x.dtype} activations"
    outputs = weights.shape[axis]
    if outputs > MAX_OUTPUTS:
        yield f"{outputs} outputs; up to {MAX_OUTPUTS} are supported"
    if weights.scales.size not in (1, outputs):
        yield f"weights {weights} have {weights.scales.size} scales for {outputs} outputs"
    elif weights.scales.size > 1 and weights.axis != axis:
        yield f"weights {weights} are quantised along dimension {weights.axis}, not {axis}"
    if weights.dtype != "UINT8" and np.any(weights.zero_points):
        yield f"weights {weights} have a zero point; the runtime's int8 kernels take it as 0"
    if bias is not None and (bias.data is None or bias.dtype != "INT32" or bias.data.size != outputs):
        yield f"bias {bias} must be a constant of {outputs} int32 values"


def weights_of(op: Operation) -> Ints:
    """Weights without their zero point, in the file's shape."""
    weights = op.input(1)
    assert weights.data is not None
    if weights.dtype == "INT4":
        return unpacked(weights.data, weights.shape)
    return weights.data.astype(np.int64) - weights.zero_point


def unpacked(data: NDArray[np.uint8], shape: tuple[int, ...]) -> Ints:
    """int4 values, two a byte, the first in the low bits."""
    nibbles = np.stack([data & 15, data >> 4], axis=-1).ravel().astype(np.int64)
    signed = np.where(nibbles > 7, nibbles - 16, nibbles)
    return signed[: prod(shape)].reshape(shape)


def bias_of(op: Operation, sums: Ints) -> Ints:
    """bias - zx * (sum of each output's weights)."""
    operand: Operand | None = op.optional(2)
    bias = np.zeros(len(sums), dtype=np.int64)
    if operand is not None and operand.data is not None:
        bias = operand.data.astype(np.int64).ravel()
    return bias - op.input(0).zero_point * sums


def requantisation(op: Operation, bounds: tuple[Ints, Ints], rounding: Rounding = "fixed") -> Staircase:
    """The staircase from the accumulator to the output, fused activation included.

    The scales are multiplied in double, but for the "fixed" rule on uint8 in float32.
    """
    sx, sw, sy = op.input(0).scale, op.input(1).scales, op.output.scale
    product = np.float64(sx) * sw.astype(np.float64)
    if rounding == "fixed" and op.input(0).dtype == "UINT8":
        with np.errstate(over="ignore", under="ignore"):
            product = (sx * sw).astype(np.float64)
    return requantize(
        *bounds, product / np.float64(sy), op.output.zero_point, activation_limits(op), rounding
    )


def spread(kernel: Ints, dilation: tuple[int, int], axes: tuple[int, int]) -> Ints:
    """A kernel with dilation - 1 zeros between its taps along two axes."""
    if dilation == (1, 1):
        return kernel
    shape = list(kernel.shape)
    place: list[slice] = [slice(None)] * kernel.ndim
    for axis, step in zip(axes, dilation, strict=True):
        shape[axis] = (shape[axis] - 1) * step + 1
        place[axis] = slice(None, None, step)
    result = np.zeros(shape, dtype=kernel.dtype)
    result[tuple(place)] = kernel
    return result


def check_dilation(op: Operation, kernel: tuple[int, int], others: int) -> Iterator[str]:
    """Complaint about a dilation that is not positive or makes a kernel without bound.

    others: number of weights a tap has in the graph."""
    dilation = op.options["dilation_h"], op.options["dilation_w"]
    if min(dilation) < 1:
        yield f"dilation {dilation[0]}x{dilation[1]}"
        return
    taps = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    if taps[0] * taps[1] * others > MAX_WEIGHTS:
        yield f"a kernel of {taps[0]}x{taps[1]} with dilation is more than {MAX_WEIGHTS} weights"
