"""Softmax and QLinearSoftmax of ONNX: float32 inside, so at the model's end it is the host's work."""

from __future__ import annotations

from hwgen.layers.onnx_operation import Damaged, Operation, Unsupported
from hwgen.layers.onnx_values import Context, HostTail, Real, Value, dequantized_real


def softmax(op: Operation, ctx: Context) -> Value:
    """Softmax of dequantised logits; what may follow is Quantize, Dequantize, the output."""
    logits = ctx.value(op, 0)
    if not isinstance(logits, Real) or logits.host is None:
        raise Unsupported("a Softmax of values that are not dequantised; quantise the layer before it")
    return HostTail(logits, _axis(op, logits), logits.index)


def qlinear_softmax(op: Operation, ctx: Context) -> Value:
    """com.microsoft QLinearSoftmax: X, scale, zero point, Y's scale, zero point."""
    x = ctx.quant(op, 0)
    logits = dequantized_real(x, ctx.scheme(op, 1, x.dtype))
    out = ctx.scheme(op, 3, x.dtype)
    return HostTail(logits, _axis(op, logits), logits.index, out, integer=True, from_integers=True)


def _axis(op: Operation, logits: Real) -> int:
    rank = logits.index.ndim
    axis = op.integer("axis", -1)
    if not -rank <= axis < rank:
        raise Damaged(f"axis {axis} of rank {rank}")
    if logits.index.size != logits.index.shape[axis]:
        raise Unsupported("a Softmax over more than one vector")
    return axis % rank


IMPORTERS = {"Softmax": softmax, "QLinearSoftmax": qlinear_softmax}
