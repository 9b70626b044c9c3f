"""Conv, Gemm, MatMul and QLinearConv, QLinearMatMul, QGemm of ONNX.

Dequantize-Conv-Quantize adds float32 products in an order that is MLAS's own affair (it differs
between machines), so its roundings belong to no rule. The rule here ("ort") is what they all approximate: the
exact sum, sum * sx * sw + bias, divided by sy and rounded once, halves to even. Where the sums are exact in
float32 (scales of few bits, powers of two) every step is float32 as written, and equal to the last bit.
With "ort-fused", and for the QLinear operations always: y = float32(acc) * float32(sx*sw/sy), where acc
includes the int32 bias, which is onnxruntime's integer kernel to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hwgen.ir.tensor import Affine, HostChain, HostStep
from hwgen.layers.onnx_linear import LinearSource, Weights, Zero, grouped, int32_bias, linear, weights
from hwgen.layers.onnx_operation import Damaged, Operation, Unsupported
from hwgen.layers.onnx_strength import boxed
from hwgen.layers.onnx_values import Const, Context, Grid, Index, Quant, Real, Value, arranged, integer_result
from hwgen.layers.onnx_window import padded, window
from hwgen.layers.requantize_onnx import (
    Floats,
    Reals,
    Scheme,
    exact_in_float32,
    linear_scale,
    requantize,
)
from hwgen.layers.window import Window
from hwgen.numeric.rounding import Ints

MakeSource = Callable[[Ints], LinearSource]


def conv(op: Operation, ctx: Context) -> Value:
    """Conv between DequantizeLinear and QuantizeLinear."""
    box = boxed(op, ctx)
    if box is not None:
        return box
    x, grid = ctx.grid(op, 0, padded(op), coded=True)
    w = weights(ctx.codes(op, 1), 0)
    build, arrange = _image_conv(op, ctx, x, w, Zero.of(grid))
    return _real(op, ctx, build, arrange, grid, w, _bias(op, ctx, 2), 1.0, 1.0)


def qlinear_conv(op: Operation, ctx: Context) -> Value:
    """QLinearConv: x, its scale and zero point, w, ..., y's scale and zero point, bias."""
    x = ctx.quant(op, 0)
    scheme, out = ctx.scheme(op, 1, x.dtype), ctx.scheme(op, 6, x.dtype)
    w = weights(ctx.codes_of(op, 3, 4, 5, 0), 0)
    build, arrange = _image_conv(op, ctx, x, w, Zero(scheme.zero_point))
    source = build(int32_bias(ctx.array(op, 8, "bias") if op.has(8) else None, w.outputs))
    return integer_result(
        ctx, op, source, _integer_rule(scheme.scale, w.scale, out), out, arrange(source.shape(ctx))
    )


def gemm(op: Operation, ctx: Context) -> Value:
    """Gemm: alpha * A * B + beta * C with constant B and C."""
    x, grid = ctx.grid(op, 0, coded=True)
    w = weights(ctx.codes(op, 1), 0 if op.integer("transB", 0) else 1)
    build, arrange = _dense(op, ctx, x, w, Zero.of(grid))
    return _real(
        op, ctx, build, arrange, grid, w, _bias(op, ctx, 2), op.real("alpha", 1.0), op.real("beta", 1.0)
    )


def matmul(op: Operation, ctx: Context) -> Value:
    """MatMul with a constant second factor of rank 2."""
    x, grid = ctx.grid(op, 0, coded=True)
    w = weights(ctx.codes(op, 1), 1)
    build, arrange = _dense(op, ctx, x, w, Zero.of(grid))
    return _real(op, ctx, build, arrange, grid, w, None, 1.0, 1.0)


def qlinear_matmul(op: Operation, ctx: Context) -> Value:
    """QLinearMatMul: a, scale, zero point, b, scale, zero point, y's scale and zero point."""
    x = ctx.quant(op, 0)
    scheme, out = ctx.scheme(op, 1, x.dtype), ctx.scheme(op, 6, x.dtype)
    w = weights(ctx.codes_of(op, 3, 4, 5, 1), 1)
    build, arrange = _dense(op, ctx, x, w, Zero(scheme.zero_point))
    source = build(np.zeros(w.outputs, dtype=np.int64))
    return integer_result(
        ctx, op, source, _integer_rule(scheme.scale, w.scale, out), out, arrange(source.shape(ctx))
    )


def qgemm(op: Operation, ctx: Context) -> Value:
    """com.microsoft QGemm: A, scale, zero point, B, scale, zero point, C (int32), y's scale, zero point."""
    x = ctx.quant(op, 0)
    if not op.has(7):
        raise Unsupported("QGemm with a float output; give it y_scale and y_zero_point")
    scheme, out = ctx.scheme(op, 1, x.dtype), ctx.scheme(op, 7, x.dtype)
    axis = 0 if op.integer("transB", 0) else 1
    w = weights(ctx.codes_of(op, 3, 4, 5, axis), axis)
    build, arrange = _dense(op, ctx, x, w, Zero(scheme.zero_point))
    source = build(int32_bias(ctx.array(op, 6, "C") if op.has(6) else None, w.outputs))
    rule = _integer_rule(scheme.scale, w.scale, out, op.real("alpha", 1.0))
    return integer_result(ctx, op, source, rule, out, arrange(source.shape(ctx)))


def _image_conv(
    op: Operation, ctx: Context, x: Quant, w: Weights, zero: Zero
) -> tuple[MakeSource, Callable[[tuple[int, int, int]], Index]]:
    if w.q.ndim != 4:
        raise Unsupported(f"weights of rank {w.q.ndim}; convolutions over two dimensions are supported")
    tensor = ctx.image(x)
    kernel = tuple(w.q.shape[2:])
    if tuple(op.integers("kernel_shape") or kernel) != kernel:
        raise Damaged(f"kernel_shape contradicts weights of {w.q.shape}")
    shape, dilation = window(op, tensor.shape[:2], kernel)
    groups = op.integer("group", 1)

    def build(bias: Ints) -> LinearSource:
        return grouped(w, bias, tensor, zero, shape, dilation, groups)

    return build, lambda out: arranged(out, (1, out[2], out[0], out[1]))


def _dense(
    op: Operation, ctx: Context, x: Quant, w: Weights, zero: Zero
) -> tuple[MakeSource, Callable[[tuple[int, int, int]], Index]]:
    if w.q.ndim != 2:
        raise Unsupported(f"a constant factor of rank {w.q.ndim}; rank 2 is supported")
    if op.integer("transA", 0):
        raise Unsupported("transA")
    dims = x.index.shape
    if not dims or dims[-1] != w.q.shape[1]:
        raise Damaged(f"a factor of {w.q.shape[1]} rows does not fit an input of {dims}")
    tensor, columns = ctx.rows(x)
    q = w.q if columns is None else w.q[:, columns]
    kernel = Weights(q[:, None, None, :], w.scale)

    def build(bias: Ints) -> LinearSource:
        return linear(kernel, bias, tensor, zero, Window())

    return build, lambda out: np.arange(out[1] * out[2], dtype=np.int32).reshape(*dims[:-1], out[2])


def _integer_rule(sx: float, sw: Floats, out: Scheme, alpha: float = 1.0) -> Callable[[Ints], Ints]:
    scale = linear_scale(sx, sw, out.scale, alpha)[:, None]
    return lambda acc: requantize(acc, scale, out)


def _bias(op: Operation, ctx: Context, i: int) -> Const | None:
    if not op.has(i):
        return None
    value = ctx.value(op, i)
    if not isinstance(value, Const):
        raise Unsupported("a bias that is computed")
    return value


def _real(
    op: Operation,
    ctx: Context,
    build: MakeSource,
    arrange: Callable[[tuple[int, int, int]], Index],
    grid: Grid,
    w: Weights,
    bias: Const | None,
    alpha: float,
    beta: float,
) -> Real:
    """The float32 result. An int32 bias goes into the accumulator, as the integer kernels have it."""
    whole = _whole_bias(bias, w)
    source = build(whole)
    product = (alpha * grid.unit * w.scale.astype(np.float64))[:, None]
    constant = np.zeros((1, 1))
    if bias is not None:
        constant = beta * _per_output(bias.array, w.outputs).astype(np.float64)[:, None]
    shift = source.shifted(grid)[:, None]
    offset = whole[:, None]
    bound = int(max(np.abs(source.lo).max(), np.abs(source.hi).max()) + np.ceil(np.abs(shift).max()))
    # Whether the bias is what its integers say: float32(integer * scale) with the scale sx*sw.
    on_grid = np.array_equal(np.broadcast_to(constant, offset.shape), (offset * product).astype(np.float32))
    halves = 1 if np.all(shift == np.rint(shift)) and grid.zero_point is not None else 2
    exact = on_grid and grid.exact and bool(np.all(2 * shift == np.rint(2 * shift)))
    exact = exact and exact_in_float32(product, halves * bound)
    once = ctx.runtime == "qonnx"

    def chain(acc: Ints) -> Reals:
        with np.errstate(over="ignore", invalid="ignore"):
            if once:  # the sum rounded, then the bias added and the result rounded
                total = ((acc - offset + shift) * product).astype(np.float32)
                return total + constant.astype(np.float32)
            y = (acc - offset + shift) * product + constant
            return y.astype(np.float32) if exact else y

    real = Real(
        source, chain, arrange(source.shape(ctx)), host=_host_chain(shift - offset, product, constant)
    )
    if once and not exact:
        with np.errstate(all="ignore"):
            largest = source.largest(grid)[:, None] + np.abs(constant / product)
        real.noise = np.nan_to_num(largest) * (2.0**-23 if grid.exact else 2.0**-21)
    elif not once and w.scale.size == 1 and on_grid and not np.any(shift) and grid.unit.size == 1:
        real.host = Affine(float(product[0, 0]), 0, "even")
    integer_bias = bias is None or (bias.codes is not None and bias.codes.dtype == "int32")
    if ctx.runtime == "ort-fused" and integer_bias and beta == 1.0 and grid.scheme is not None:
        scale = grid.scheme.scale
        real.fused = lambda out: (source, _integer_rule(scale, w.scale, out, alpha))
    return real


def _host_chain(shift: NDArray, product: NDArray, constant: NDArray) -> HostChain:
    steps: tuple[HostStep, ...] = (("add", _listed(constant)),) if np.any(constant) else ()
    return HostChain(_listed(shift), _listed(product), steps)


def _listed(values: NDArray) -> tuple[float, ...]:
    """One number, or one a channel."""
    flat = values.ravel()
    return tuple((flat[:1] if np.all(flat == flat[0]) else flat).tolist())


def _whole_bias(bias: Const | None, w: Weights) -> Ints:
    """The bias as integers of the accumulator where it was quantised, else zeros."""
    if bias is not None and bias.codes is not None and bias.codes.dtype == "int32":
        return _per_output(bias.codes.q, w.outputs)
    return np.zeros(w.outputs, dtype=np.int64)


def _per_output(array: NDArray, outputs: int) -> NDArray:
    """A bias (1,), (N,) or (1, ..., N) as (N,)."""
    if array.size not in (1, outputs) or (array.ndim > 1 and array.shape[-1] != array.size):
        raise Unsupported(f"a bias of shape {array.shape} for {outputs} outputs")
    return np.broadcast_to(array.ravel(), (outputs,))


IMPORTERS = {
    "Conv": conv,
    "QLinearConv": qlinear_conv,
    "Gemm": gemm,
    "MatMul": matmul,
    "QLinearMatMul": qlinear_matmul,
    "QGemm": qgemm,
}
