"""Softmax of ONNX: floating point in the runtime, so it stays outside the hardware."""

from __future__ import annotations

from hwgen.layers.onnx_values import Context, Operation, Unsupported, Value


def softmax(op: Operation, ctx: Context) -> Value:
    """Refused, with the way out."""
    raise Unsupported(
        "Softmax is floating point in onnxruntime; cut the model before it (the largest logit is the "
        "largest probability) or end with ArgMax"
    )


IMPORTERS = {"Softmax": softmax, "LogSoftmax": softmax, "QLinearSoftmax": softmax}
