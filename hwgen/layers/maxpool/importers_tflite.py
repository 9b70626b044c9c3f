"""MAX_POOL_2D of TFLite."""

from __future__ import annotations

from collections.abc import Iterator

from hwgen.layers.maxpool.op import MaxPool
from hwgen.layers.tflite import (
    Context,
    Operation,
    check_activations,
    check_filter,
    check_fused,
    check_same_type,
    check_window,
    clamp_of,
    padding,
)
from hwgen.layers.window import Window


def check(op: Operation) -> Iterator[str]:
    """Complaints about a MAX_POOL_2D."""
    x = op.input(0)
    yield from check_activations(op, x, op.output)
    yield from check_same_type(op, x, op.output)
    yield from check_fused(op)
    yield from check_window(op)
    yield from check_filter(op)


def build(op: Operation, ctx: Context) -> None:
    """The runtime compares integers as they are: input and output scales are not looked at."""
    x = ctx.tensor(op.input(0))
    kernel = (op.options["filter_h"], op.options["filter_w"])
    stride = (op.options["stride_h"], op.options["stride_w"])
    window = Window(kernel, stride, padding(op, (x.shape[0], x.shape[1]), kernel))
    ctx.add(op, MaxPool(**ctx.place(op), inputs=(x.name,), window=window, act=clamp_of(op, x.range)))


CHECKS = {"MAX_POOL_2D": check}
IMPORTERS = {"MAX_POOL_2D": build}
