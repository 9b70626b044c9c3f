"""ReduceSum of ONNX over the channels of absolute values."""

from __future__ import annotations

from hwgen.layers.onnx_operation import Operation, Unsupported
from hwgen.layers.onnx_strength import channel_strength
from hwgen.layers.onnx_values import Context, Value


def reduce_sum(op: Operation, ctx: Context) -> Value:
    """Sum over axis 1 of NCHW."""
    axes = ctx.integers(op, 1, "axes") if op.has(1) else op.integers("axes")
    if axes not in ([1], [-3]) or ctx.runtime != "qonnx":
        raise Unsupported("a sum over anything but the channels of absolute values, in a QONNX model")
    return channel_strength(op, ctx, mean=False)


IMPORTERS = {"ReduceSum": reduce_sum}
