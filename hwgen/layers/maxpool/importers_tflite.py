"""MAX_POOL_2D of TFLite."""

from __future__ import annotations

from hwgen.layers.maxpool.op import MaxPool
from hwgen.layers.tflite import (
    Context,
    Operation,
    check_pool,
    clamp_of,
    window_of,
)


def build(op: Operation, ctx: Context) -> None:
    """The runtime compares integers as they are: input and output scales are not looked at."""
    x = ctx.tensor(op.input(0))
    act = clamp_of(op, x.range)
    ctx.add(op, MaxPool(**ctx.place(op), inputs=(x.name,), window=window_of(op, x), act=act))


CHECKS = {"MAX_POOL_2D": check_pool}
IMPORTERS = {"MAX_POOL_2D": build}
