"""QUANTIZE, RELU, RELU6, RELU_N1_TO_1, LOGISTIC and TANH of TFLite on 8-bit tensors, as one staircase.

Sources: TFLite Micro activations.cc and activations_common.cc, logistic_common.cc, tanh.cc;
TensorFlow Lite reference requantize.h, integer_ops/logistic.h and tanh.h.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from hwgen.layers.requantize import requantize, table
from hwgen.layers.staircase.op import Step
from hwgen.layers.tflite import (
    Context,
    Operand,
    Operation,
    check_activations,
    check_same_type,
    quantized,
)
from hwgen.numeric import fixedpoint
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints, multiply_double_rounding, round_half_away, rounding_divide_by_pot
from hwgen.numeric.staircase import Staircase

INPUT_INTEGER_BITS = 4
MIN_SIGMOID_SCALE, MAX_SIGMOID_SCALE = 2.0**-27, 2.0**3  # beyond, the runtime shifts by too much
_BOUNDS = {"RELU": (0.0, None), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}


def check_quantize(op: Operation) -> Iterator[str]:
    """Complaints about a QUANTIZE between 8-bit tensors."""
    yield from check_activations(op, op.input(0), op.output)


def build_quantize(op: Operation, ctx: Context) -> None:
    """Another scale or zero point, int8 or uint8."""
    x = ctx.tensor(op.input(0))
    act = _rescaling(op, x.range, op.output.limits)
    ctx.add(op, Step(**ctx.place(op), inputs=(x.name,), act=act))


def _rescaling(op: Operation, reach: Range, clamp: Range) -> Staircase:
    real = float(op.input(0).scale) / float(op.output.scale)
    zero_in, zero_out = op.input(0).zero_point, op.output.zero_point
    return requantize(reach.lo, reach.hi, real, zero_out, clamp, offset=-zero_in)


def check_relu(op: Operation) -> Iterator[str]:
    """Complaints about a RELU, RELU6 or RELU_N1_TO_1."""
    yield from check_activations(op, op.input(0), op.output)
    yield from check_same_type(op, op.input(0), op.output)


def build_relu(op: Operation, ctx: Context) -> None:
    """Rescale and clamp; TFLite Micro's RELU6 clamps in the input's integers and does not rescale."""
    x, out = ctx.tensor(op.input(0)), op.output
    raw = op.kind == "RELU6" and ctx.runtime == "tflm"
    if raw:
        clamp = _bounds(op.kind, op.input(0))
        values = np.clip(np.arange(x.range.lo, x.range.hi + 1), clamp.lo, clamp.hi)
        act = table(values, x.range.lo)
    else:
        act = _rescaling(op, x.range, _bounds(op.kind, out))
    ctx.add(op, Step(**ctx.place(op), inputs=(x.name,), act=act))


def _bounds(kind: str, operand: Operand) -> Range:
    low, high = _BOUNDS[kind]
    limits = operand.limits
    lo = max(limits.lo, quantized(low, operand))
    hi = limits.hi if high is None else min(limits.hi, quantized(high, operand))
    return Range(min(lo, limits.hi), max(hi, min(lo, limits.hi)))


def check_sigmoid(op: Operation) -> Iterator[str]:
    """Complaints about a LOGISTIC or TANH."""
    x, out = op.input(0), op.output
    yield from check_activations(op, x, out)
    if x.dtype != "INT8" or out.dtype != "INT8":
        yield f"{x.dtype} to {out.dtype}; int8 is supported"
        return
    if x.scales.size == 1 and not MIN_SIGMOID_SCALE <= x.scale < MAX_SIGMOID_SCALE:
        yield f"input scale {x.scale} is out of the runtime's range"
    scale, zero = (1 / 256, -128) if op.kind == "LOGISTIC" else (1 / 128, 0)
    if out.scales.size == 1 and (out.scale != np.float32(scale) or out.zero_point != zero):
        yield f"output {out.scale}, {out.zero_point}; the runtime makes scale {scale} and zero {zero}"


def build_sigmoid(op: Operation, ctx: Context) -> None:
    """The runtime's fixed-point polynomial, evaluated for all 256 inputs."""
    x = ctx.tensor(op.input(0))
    functions: dict[str, Callable[..., Ints]] = {"LOGISTIC": logistic, "TANH": tanh}
    values = np.arange(x.range.lo, x.range.hi + 1)
    centred = values - op.input(0).zero_point
    act = table(functions[op.kind](centred, float(op.input(0).scale)), x.range.lo)
    ctx.add(op, Step(**ctx.place(op), inputs=(x.name,), act=act))


def _scaled(x: Ints, scale: float) -> tuple[Ints, int]:
    """(x with 4 integer bits, the largest |x| for which that holds)."""
    fraction_bits = 31 - INPUT_INTEGER_BITS
    fraction, shift = math.frexp(scale * (1 << fraction_bits))
    span = ((1 << INPUT_INTEGER_BITS) - 1) << fraction_bits
    radius = math.floor(span / (1 << shift))
    inside = np.clip(x, -radius, radius)
    return multiply_double_rounding(inside, round_half_away(fraction * (1 << 31)), shift), radius


def logistic(x: Ints, scale: float) -> Ints:
    """round(256 / (1 + exp(-scale * x))) - 128 in int8, as the runtime computes it."""
    scaled, radius = _scaled(x, scale)
    y = rounding_divide_by_pot(fixedpoint.logistic(scaled, INPUT_INTEGER_BITS), 31 - 8) - 128
    y = np.clip(y, -128, 127)
    return np.where(x <= -radius, -128, np.where(x >= radius, 127, y))


def tanh(x: Ints, scale: float) -> Ints:
    """round(128 * tanh(scale * x)) in int8, as the runtime computes it."""
    scaled, radius = _scaled(x, scale)
    y = np.clip(rounding_divide_by_pot(fixedpoint.tanh(scaled, INPUT_INTEGER_BITS), 31 - 7), -128, 127)
    return np.where(x <= -radius, -128, np.where(x >= radius, 127, y))


CHECKS = {
    "QUANTIZE": check_quantize,
    "RELU": check_relu,
    "RELU6": check_relu,
    "RELU_N1_TO_1": check_relu,
    "LOGISTIC": check_sigmoid,
    "TANH": check_sigmoid,
}
IMPORTERS = {
    "QUANTIZE": build_quantize,
    "RELU": build_relu,
    "RELU6": build_relu,
    "RELU_N1_TO_1": build_relu,
    "LOGISTIC": build_sigmoid,
    "TANH": build_sigmoid,
}
