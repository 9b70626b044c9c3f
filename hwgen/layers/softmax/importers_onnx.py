"""Softmax of ONNX: float32 in the runtime. At the model's end it is the host's work, as is dequantising."""

from __future__ import annotations

from hwgen.layers.onnx_values import Context, Damaged, HostTail, Operation, Real, Unsupported, Value


def softmax(op: Operation, ctx: Context) -> Value:
    """Softmax over one axis of dequantised logits; what may follow is Quantize, Dequantize, the output."""
    logits = ctx.value(op, 0)
    if not isinstance(logits, Real) or logits.host is None:
        raise Unsupported("a Softmax of values that are not dequantised; quantise the layer before it")
    rank = logits.index.ndim
    axis = op.integer("axis", -1)
    if not -rank <= axis < rank:
        raise Damaged(f"axis {axis} of rank {rank}")
    if logits.index.size != logits.index.shape[axis]:
        raise Unsupported("a Softmax over more than one vector")
    return HostTail(logits, axis % rank, logits.index)


def qlinear_softmax(op: Operation, ctx: Context) -> Value:
    """Refused, with the way out."""
    raise Unsupported(
        "QLinearSoftmax; leave Softmax in float32 (it is computed by the host) or end with ArgMax"
    )


IMPORTERS = {"Softmax": softmax, "QLinearSoftmax": qlinear_softmax}
