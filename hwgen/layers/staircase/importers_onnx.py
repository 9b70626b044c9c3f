"""QuantizeLinear, DequantizeLinear and the monotone float32 functions between them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hwgen.layers import onnx_logarithm
from hwgen.layers.onnx_elementwise import constant_arithmetic, per_row, real_input
from hwgen.layers.onnx_logarithm import combined
from hwgen.layers.onnx_operation import Damaged, Operation, Unsupported
from hwgen.layers.onnx_products import scaled
from hwgen.layers.onnx_values import (
    Codes,
    Const,
    Context,
    Fused,
    HostTail,
    Plane,
    Quant,
    Raw,
    Real,
    Value,
    dequantized_real,
    quantized,
)
from hwgen.layers.requantize_onnx import Floats, Scheme, batch_norm, quantize
from hwgen.layers.staircase.op import Step
from hwgen.numeric.rounding import ints
from hwgen.numeric.staircase import from_function

_OUTPUT_TYPES = {2: "uint8", 3: "int8"}
"""TensorProto types that QuantizeLinear can name in place of a zero point (opset 21)."""


def quantize_linear(op: Operation, ctx: Context) -> Value:
    """rint(x / scale) + zero point, saturated: ends the chain of a real, or is a graph input's edge."""
    _refuse_blocks(op)
    x = ctx.value(op, 0)
    if isinstance(x, Quant):
        raise Damaged("quantises integers")
    if isinstance(x, Const):
        return _quantized_constant(op, ctx, x)
    out = ctx.scheme(op, 1, _OUTPUT_TYPES.get(op.integer("output_dtype", 0), ""))
    if isinstance(x, HostTail):
        if x.scheme is not None:
            raise Unsupported("a Softmax that is quantised twice")
        return replace(x, scheme=out, integer=True)
    return ctx.entered(x, out) if isinstance(x, Raw) else quantized(ctx, op, x, out)


def dequantize_linear(op: Operation, ctx: Context) -> Value:
    """(q - zero point) * scale."""
    _refuse_blocks(op)
    x = ctx.value(op, 0)
    if isinstance(x, Const):
        codes = ctx.codes_of(op, 0, 1, 2, op.integer("axis", 1))
        return Const(dequantized_array(codes), codes)
    if isinstance(x, HostTail):
        if not x.integer or x.scheme != ctx.scheme(op, 1, x.scheme.dtype if x.scheme else ""):
            raise Unsupported("a Softmax dequantised otherwise than it was quantised")
        return replace(x, integer=False)
    value = ctx.quant(op, 0)
    return dequantized_real(value, ctx.scheme(op, 1, value.dtype))


def dequantized_array(codes: Codes) -> Floats:
    """The float32 constant behind codes."""
    shape = [1] * codes.q.ndim
    if codes.q.ndim:
        shape[codes.axis] = -1
    zero, scale = (a.reshape(shape if a.size > 1 else ()) for a in (codes.zero_point, codes.scale))
    return (codes.q - zero).astype(np.float32) * scale


def relu(op: Operation, ctx: Context) -> Value:
    """max(x, 0)."""
    return clipped(real_input(op, ctx), 0.0, np.inf)


def clip(op: Operation, ctx: Context) -> Value:
    """min(max(x, low), high); limits are inputs, or attributes before opset 11."""
    low, high = op.real("min", -np.inf), op.real("max", np.inf)
    limits = [
        float(ctx.array(op, i, "a limit").reshape(-1)[0]) if op.has(i) else d
        for i, d in ((1, low), (2, high))
    ]
    value = ctx.value(op, 0)
    if isinstance(value, Const):
        low, high = limits
        return Const(np.clip(value.array, low, high).astype(value.array.dtype))
    if isinstance(value, Quant):
        return _clipped_integers(op, ctx, value, *limits)
    return clipped(real_input(op, ctx), *limits)


def _clipped_integers(op: Operation, ctx: Context, x: Quant, low: float, high: float) -> Quant:
    """Fewer bits than the type has (QCDQ): a staircase, which joins the layer before it."""
    held = x.plane.range
    low, high = max(low, held.lo), min(high, held.hi)
    if not (float(low).is_integer() and float(high).is_integer() and low <= high):
        raise Unsupported(f"a clamp of integers {held} to {low:g}..{high:g}")
    if (low, high) == (held.lo, held.hi):
        return x
    tensor, index = ctx.streamed(x)
    act = from_function(lambda q: np.clip(q, int(low), int(high)), ints([held.lo]), ints([held.hi]))
    narrow = ctx.add(op, Step, (tensor,), act=act)
    return Quant(Plane(x.dtype, narrow.range, narrow), index)


def clipped(real: Real, low: float, high: float) -> Real:
    """The clamp; onnxruntime's optimiser drops it where the quantiser after it saturates no later."""
    inner = real.fused
    result = real.mapped(lambda x: np.maximum(x, np.float32(low)), ("max", (low,)))
    if high != np.inf:
        result = result.mapped(lambda x: np.minimum(x, np.float32(high)), ("min", (high,)))
    if inner is not None:

        def fused(out: Scheme) -> Fused | None:
            reach = [
                np.float32(out.scale) * np.float32(q - out.zero_point) for q in (out.limits.lo, out.limits.hi)
            ]
            return inner(out) if low <= reach[0] and reach[1] <= high else None

        result.fused = fused
    return result


def leaky_relu(op: Operation, ctx: Context) -> Value:
    """x where x >= 0, else alpha * x."""
    alpha = np.float32(op.real("alpha", 0.01))
    if alpha < 0:
        raise Unsupported("a negative slope, which is not monotone")
    return real_input(op, ctx).mapped(lambda x: np.where(x >= 0, x, x * alpha))


def batch_normalization(op: Operation, ctx: Context) -> Value:
    """x * m + b per channel, m and b computed in float32 as onnxruntime does."""
    if op.integer("training_mode", 0) or len([o for o in op.outputs if o]) > 1:
        raise Unsupported("batch normalisation in training mode")
    real = real_input(op, ctx)
    names = ("scale", "bias", "mean", "variance")
    constants = [ctx.array(op, i + 1, name).astype(np.float32) for i, name in enumerate(names)]
    dims = real.index.shape
    if len(dims) < 2 or any(c.shape != (dims[1],) for c in constants):
        raise Damaged(f"constants of {[c.shape for c in constants]} do not fit {dims}")
    with np.errstate(all="ignore"):
        scale, bias, mean, variance = constants
        m, b = batch_norm(scale, bias, mean, variance, op.real("epsilon", 1e-5))
    if not np.all(np.isfinite(m) & np.isfinite(b)):
        raise Damaged("constants that are not finite")
    column = (1, -1) + (1,) * (len(dims) - 2)
    real, (m, b) = per_row(ctx, real, [m.reshape(column), b.reshape(column)])
    scaled = real.mapped(lambda x: x * m, ("mul", tuple(m.ravel().tolist())))
    return scaled.mapped(lambda x: x + b, ("add", tuple(b.ravel().tolist())))


def square_root(op: Operation, ctx: Context) -> Value:
    """The square root of a constant."""
    return Const(np.sqrt(ctx.array(op, 0, "the operand")))


def negative(op: Operation, ctx: Context) -> Value:
    """-x."""
    value = ctx.value(op, 0)
    if isinstance(value, Const):
        return Const(-value.array)
    return real_input(op, ctx).mapped(np.negative, ("mul", (-1.0,)))


def multiply(op: Operation, ctx: Context) -> Value:
    """x * constant, or f(x) * g(x), or a convolution times K."""
    sides = ctx.value(op, 0), ctx.value(op, 1)
    product = combined(*sides) or scaled(*sides, ctx)
    if product is not None:
        return product
    return constant_arithmetic(op, ctx, np.multiply)


def subtract(op: Operation, ctx: Context) -> Value:
    """x - constant or constant - x."""
    return constant_arithmetic(op, ctx, np.subtract)


def divide(op: Operation, ctx: Context) -> Value:
    """x / constant."""
    if isinstance(ctx.value(op, 0), Const) and not isinstance(ctx.value(op, 1), Const):
        raise Unsupported("a division by a computed value")
    if np.any(ctx.array(op, 1, "the divisor") == 0):
        raise Damaged("a division by zero")
    return constant_arithmetic(op, ctx, np.divide)


def _refuse_blocks(op: Operation) -> None:
    if op.integer("block_size", 0):
        raise Unsupported("block-wise quantisation")


def _quantized_constant(op: Operation, ctx: Context, x: Const) -> Const:
    """Fake-quantised weights as PyTorch exports them."""
    scale, zero, dtype, axis = ctx.parameters(op, 1, 2, op.integer("axis", 1), x.array.shape)
    q = np.empty(x.array.shape, dtype=np.int64)
    if scale.size == 1:
        return Const(quantize(x.array, Scheme(float(scale[0]), int(zero[0]), dtype)).astype(dtype))
    zeros = np.broadcast_to(zero, scale.shape)
    for k in range(scale.size):
        place = (slice(None),) * axis + (k,)
        q[place] = quantize(x.array[place], Scheme(float(scale[k]), int(zeros[k]), dtype))
    return Const(ints(q).astype(dtype))


IMPORTERS = onnx_logarithm.IMPORTERS | {
    "QuantizeLinear": quantize_linear,
    "DequantizeLinear": dequantize_linear,
    "Relu": relu,
    "Clip": clip,
    "LeakyRelu": leaky_relu,
    "BatchNormalization": batch_normalization,
    "Mul": multiply,
    "Sub": subtract,
    "Div": divide,
    "Sqrt": square_root,
    "Neg": negative,
}
