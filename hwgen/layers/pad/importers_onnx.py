"""Pad of ONNX with a constant."""

from __future__ import annotations

import numpy as np

from hwgen.layers.onnx_grid import gridded_real
from hwgen.layers.onnx_operation import Damaged, Operation, Unsupported
from hwgen.layers.onnx_values import MAX_ZERO, Context, Grid, Plane, Quant, Value, arranged, dequantized_real
from hwgen.layers.onnx_window import MAX_LENGTH
from hwgen.layers.pad.op import Pad
from hwgen.layers.requantize_onnx import dequantize, quantize


def pad(op: Operation, ctx: Context) -> Value:
    """Pixels around an NCHW image; the constant must be a value that the integers can hold."""
    if op.text("mode", "constant") != "constant":
        raise Unsupported(f"mode {op.text('mode', 'constant')}; constant is supported")
    pads = ctx.integers(op, 1, "pads") if op.has(1) else op.integers("pads")
    value = float(ctx.array(op, 2, "the constant").reshape(-1)[0]) if op.has(2) else op.real("value", 0.0)
    integer = isinstance(ctx.value(op, 0), Quant)
    x, grid = (ctx.quant(op, 0), None) if integer else ctx.grid(op, 0, padded=True)
    if op.has(3) or pads is None or len(pads) != 8 or x.index.ndim != 4:
        raise Unsupported("padding of anything but all four axes of NCHW")
    before, after = pads[:4], pads[4:]
    if any(before[:2]) or any(after[:2]) or min(pads) < 0:
        raise Unsupported("padding of batch or channels, or negative padding")
    if max(pads) > MAX_LENGTH:
        raise Damaged(f"pads are {pads}")
    q = int(value) if grid is None else _code(value, grid)
    border = (before[2], after[2], before[3], after[3])
    tensor = ctx.add(op, Pad, (ctx.image(x),), pad=border, value=q)
    height, width, channels = tensor.shape
    index = arranged(tensor.shape, (1, channels, height, width))
    padded = Quant(Plane(x.dtype, tensor.range, tensor), index)
    if grid is None:
        return padded
    return dequantized_real(padded, grid.scheme) if grid.scheme is not None else gridded_real(padded, grid)


def _code(value: float, grid: Grid) -> int:
    """The integer that stands for a float."""
    if not np.isfinite(value):
        raise Unsupported("padding with a value that is not finite")
    if grid.scheme is None:
        found = value / grid.unit - grid.shift
        if np.all(found == found[0]) and found[0].is_integer() and abs(found[0]) < MAX_ZERO:
            return int(found[0])
    else:
        q = int(quantize(np.asarray(value, dtype=np.float32), grid.scheme))
        if dequantize(q, grid.scheme) == np.float32(value):
            return q
    raise Unsupported(f"padding with {value:g}, which no integer of its input stands for")


IMPORTERS = {"Pad": pad}
