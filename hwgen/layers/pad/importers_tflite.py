"""PAD and PADV2 of TFLite: a border of zero points, or of PADV2's constant."""

from __future__ import annotations

from collections.abc import Iterator

from hwgen.layers.pad.op import Pad
from hwgen.layers.tflite import Context, Operation, check_activations, check_same_type, constant_integers


def check(op: Operation) -> Iterator[str]:
    """Complaints about a PAD or PADV2."""
    x = op.input(0)
    yield from check_activations(op, x, op.output)
    yield from check_same_type(op, x, op.output)
    widths = constant_integers(op.optional(1))
    if widths is None or len(widths) != 2 * len(x.shape):
        yield "amounts must be a constant with two values a dimension"
        return
    if min(widths) < 0 or max(widths) > 1 << 16:
        yield f"amounts {widths}"
    if len(x.shape) < 3 and any(widths):
        yield f"padding of rank {len(x.shape)}"
    if any(widths[:2]) or any(widths[-2:]):
        yield "padding of batch or channels"
    value = op.optional(2)
    if op.kind == "PADV2" and (
        value is None or value.data is None or value.data.size != 1 or value.dtype != x.dtype
    ):
        yield "PADV2 needs one constant of the input's type"


def build(op: Operation, ctx: Context) -> None:
    """Rows and columns around the image; the value is the output's zero point."""
    x = ctx.tensor(op.input(0))
    widths = constant_integers(op.optional(1)) or []
    inner = widths[2:-2]
    top, bottom, left, right = [0] * (4 - len(inner)) + inner
    constant = op.optional(2)
    value = op.output.zero_point
    if op.kind == "PADV2" and constant is not None and constant.data is not None:
        value = int(constant.data.ravel()[0])
    ctx.add(op, Pad(**ctx.place(op), inputs=(x.name,), pad=(top, bottom, left, right), value=value))


CHECKS = {"PAD": check, "PADV2": check}
IMPORTERS = {"PAD": build, "PADV2": build}
