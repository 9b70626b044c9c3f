"""CONV_2D and FULLY_CONNECTED of TFLite to `conv`. Source: TFLite Micro conv.cc, fully_connected.cc."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from hwgen.ir.tensor import Tensor
from hwgen.layers.conv.op import Conv
from hwgen.layers.requantize import Rounding
from hwgen.layers.reshape.op import Reshape
from hwgen.layers.tflite import Context, Operation, check_window, window_of
from hwgen.layers.tflite_linear import (
    bias_of,
    check_dilation,
    check_linear,
    requantisation,
    spread,
    weights_of,
)
from hwgen.layers.window import Window
from hwgen.numeric.rounding import Ints


def check_conv(op: Operation) -> Iterator[str]:
    """Complaints about a CONV_2D."""
    complaints = [*check_linear(op, rank=4, axis=0), *check_window(op)]
    yield from complaints
    if complaints:
        return
    outputs, kh, kw, channels = op.input(1).shape
    depth = op.input(0).image[2]
    if depth % channels or outputs % (depth // channels):
        yield f"{depth} input channels in groups of {channels} for {outputs} outputs"
    yield from check_dilation(op, (kh, kw), outputs * depth)


def build_conv(op: Operation, ctx: Context) -> None:
    """CONV_2D: groups get zero-filled weights, dilation a kernel with zeros in it."""
    x = ctx.tensor(op.input(0))
    dilation = op.options["dilation_h"], op.options["dilation_w"]
    weights = ungrouped(spread(weights_of(op), dilation, (1, 2)), x.shape[2])
    window = window_of(op, x, (weights.shape[1], weights.shape[2]))
    add_conv(op, ctx, x, weights, window, "fixed")


def ungrouped(weights: Ints, depth: int) -> Ints:
    """(O, KH, KW, C/groups) as (O, KH, KW, C) with zeros between the groups."""
    outputs, kh, kw, channels = weights.shape
    if channels == depth:
        return weights
    groups = depth // channels
    each = outputs // groups
    result = np.zeros((outputs, kh, kw, depth), dtype=weights.dtype)
    for g in range(groups):
        rows = slice(g * each, (g + 1) * each)
        result[rows, :, :, g * channels : (g + 1) * channels] = weights[rows]
    return result


def add_conv(
    op: Operation, ctx: Context, x: Tensor, weights: Ints, window: Window, rounding: Rounding
) -> None:
    """The node, with its requantisation over what its accumulators can reach."""
    node = Conv(
        **ctx.place(op),
        inputs=(x.name,),
        weights=weights,
        bias=bias_of(op, weights.sum(axis=(1, 2, 3))),
        window=window,
        pad_value=op.input(0).zero_point,
    )
    node.act = requantisation(op, node.acc_bounds(x.range), rounding)
    ctx.add(op, node)


def check_dense(op: Operation) -> Iterator[str]:
    """Complaints about a FULLY_CONNECTED."""
    complaints = list(check_linear(op, rank=2, axis=0))
    if op.options["weights_format"] != 0:
        complaints.append("shuffled weights")
    yield from complaints
    if complaints:
        return
    depth = op.input(1).shape[1]
    image = op.input(0).image
    if depth not in (image[2], prod(image)):
        yield f"weights for {depth} inputs do not fit {op.input(0)} of shape {op.input(0).shape}"


def build_dense(op: Operation, ctx: Context) -> None:
    """FULLY_CONNECTED: a 1x1 convolution, after flattening where the weights span the whole image.

    "litert" is the rule of LiteRT from 1.3 on, which multiplies by the real number.
    """
    x = ctx.tensor(op.input(0))
    weights = weights_of(op)
    depth = weights.shape[1]
    if x.shape[2] != depth:
        flat = Reshape(**ctx.place(op, inside=True), inputs=(x.name,), shape=(1, 1, depth))
        x = ctx.add(op, flat)
    rounding: Rounding = "real" if ctx.runtime == "litert" else "fixed"
    add_conv(op, ctx, x, weights[:, None, None, :], Window(), rounding)


CHECKS = {"CONV_2D": check_conv, "FULLY_CONNECTED": check_dense}
IMPORTERS = {"CONV_2D": build_conv, "FULLY_CONNECTED": build_dense}
