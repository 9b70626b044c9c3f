"""SOFTMAX of TFLite, int8 to int8 or uint8 to uint8.

The exponentials of all differences are a table. Source: TensorFlow Lite softmax.cc (Prepare),
reference softmax.h, quantization_util.cc (PreprocessSoftmaxScaling, CalculateInputRadius).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from hwgen.layers.softmax.op import Softmax
from hwgen.layers.tflite import Context, Operation, check_activations, check_same_type
from hwgen.numeric.fixedpoint import exp_on_negative_values
from hwgen.numeric.rounding import Ints, quantize_multiplier, saturating_rounding_doubling_high_mul, wrap32

DIFFERENCE_INTEGER_BITS = 5
MAX_CHANNELS = 4095  # the sum of exponentials has 12 integer bits


def check(op: Operation) -> Iterator[str]:
    """Complaints about a SOFTMAX."""
    x, out = op.input(0), op.output
    complaints = [*check_activations(op, x, out), *check_same_type(op, x, out)]
    yield from complaints
    if complaints:
        return
    if x.shape[-1] > MAX_CHANNELS:
        yield f"softmax over {x.shape[-1]} channels; the runtime's sum overflows beyond {MAX_CHANNELS}"
    if len(x.shape) < 2:
        yield f"softmax of rank {len(x.shape)}"
    beta = op.options["beta"]
    if not (math.isfinite(beta) and beta > 0):
        yield f"beta {beta}"
    elif out.scale != np.float32(1 / 256) or out.zero_point != out.limits.lo:
        yield f"output {out.scale}, {out.zero_point}; softmax makes scale 1/256 and zero {out.limits.lo}"
    elif _scaling(beta, float(x.scale))[1] < 0:
        yield f"beta * scale is {beta * float(x.scale):g}, too small for the runtime"


def build(op: Operation, ctx: Context) -> None:
    """One table of exponentials for all differences of its type."""
    x = ctx.tensor(op.input(0))
    limits = op.input(0).limits
    exps = exponentials(op.options["beta"], float(op.input(0).scale), limits.hi - limits.lo + 1)
    ctx.add(op, Softmax(**ctx.place(op), inputs=(x.name,), exps=exps, out_lo=op.output.limits.lo))


def _scaling(beta: float, scale: float) -> tuple[int, int]:
    """(multiplier, left shift) to differences with 26 fraction bits."""
    real = min(beta * scale * (1 << (31 - DIFFERENCE_INTEGER_BITS)), (1 << 31) - 1.0)
    return quantize_multiplier(real)


def exponentials(beta: float, scale: float, count: int) -> Ints:
    """exp(-beta * scale * d) in Q0.31 for d = 0..count-1; 0 where the runtime leaves d out."""
    multiplier, shift = _scaling(beta, scale)
    return exponentials_fixed(multiplier, shift, _radius(shift), count)


def _radius(shift: int) -> int:
    """Largest difference that does not overflow the scaled difference."""
    bits = DIFFERENCE_INTEGER_BITS
    return math.floor(1.0 * ((1 << bits) - 1) * (1 << (31 - bits)) / (1 << shift))


def exponentials_fixed(multiplier: int, shift: int, radius: int, count: int) -> Ints:
    """`exponentials` by the runtime's own integers."""
    differences = -np.arange(count, dtype=np.int64)
    kept = differences >= -radius
    shifted = wrap32(np.where(kept, differences, 0) << shift)
    scaled = saturating_rounding_doubling_high_mul(shifted, multiplier)
    return np.where(kept, exp_on_negative_values(scaled, DIFFERENCE_INTEGER_BITS), 0)


CHECKS = {"SOFTMAX": check}
IMPORTERS = {"SOFTMAX": build}
