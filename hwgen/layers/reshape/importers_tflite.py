"""RESHAPE, SQUEEZE and EXPAND_DIMS of TFLite: the output's shape is in the file."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from hwgen.layers.reshape.op import Reshape
from hwgen.layers.tflite import Context, Operation, check_activations, check_same_type


def check(op: Operation) -> Iterator[str]:
    """Complaints about an operation that only changes the shape."""
    x, out = op.input(0), op.output
    yield from check_activations(op, x, out)
    yield from check_same_type(op, x, out)
    if prod(x.shape) != prod(out.shape):
        yield f"shape {x.shape} cannot become {out.shape}"


def build(op: Operation, ctx: Context) -> None:
    """A node only where (H, W, C) changes. Elements keep their channel-last order."""
    x = ctx.tensor(op.input(0))
    if x.shape == op.output.image:
        ctx.alias(op.output, x)
    else:
        ctx.add(op, Reshape(**ctx.place(op), inputs=(x.name,), shape=op.output.image))


_NAMES = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
CHECKS = dict.fromkeys(_NAMES, check)
IMPORTERS = dict.fromkeys(_NAMES, build)
