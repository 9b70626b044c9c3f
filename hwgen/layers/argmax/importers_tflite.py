"""ARG_MAX of TFLite over the channels."""

from __future__ import annotations

from collections.abc import Iterator

from hwgen.layers.argmax.op import ArgMax
from hwgen.layers.tflite import Context, Operation, check_activations, check_shape, constant_integers


def check(op: Operation) -> Iterator[str]:
    """Complaints about an ARG_MAX."""
    x, out = op.input(0), op.output
    yield from check_activations(op, x)
    yield from check_shape(out)
    axis = constant_integers(op.optional(1))
    if axis is None or len(axis) != 1 or axis[0] not in (-1, len(x.shape) - 1) or len(x.shape) < 2:
        yield "axis must be the constant last one"
    if out.shape != x.shape[:-1]:
        yield f"output shape {out.shape} for an input of {x.shape}"


def build(op: Operation, ctx: Context) -> None:
    """The lowest index wins a tie, as in the runtime. (H, W) is without a channel: one is put back."""
    x = ctx.tensor(op.input(0))
    ctx.add(op, ArgMax(**ctx.place(op), inputs=(x.name,)), image=(x.shape[0], x.shape[1], 1))


CHECKS = {"ARG_MAX": check}
IMPORTERS = {"ARG_MAX": build}
