"""DEPTHWISE_CONV_2D of TFLite; a channel multiplier above 1 becomes a `conv`. Source: TFLite Micro."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hwgen.layers.conv.op import Conv
from hwgen.layers.depthwise.op import Depthwise
from hwgen.layers.tflite import Context, Operation, check_window, window_of
from hwgen.layers.tflite_linear import (
    bias_of,
    check_dilation,
    check_linear,
    requantisation,
    spread,
    weights_of,
)
from hwgen.numeric.rounding import Ints


def check(op: Operation) -> Iterator[str]:
    """Complaints about a DEPTHWISE_CONV_2D."""
    complaints = [*check_linear(op, rank=4, axis=3), *check_window(op)]
    yield from complaints
    if complaints:
        return
    first, kh, kw, outputs = op.input(1).shape
    depth = op.input(0).image[2]
    if first != 1 or outputs % depth:
        yield f"weights of shape {op.input(1).shape} for {depth} channels"
        return
    yield from check_dilation(op, (kh, kw), outputs if outputs == depth else outputs * depth)


def build(op: Operation, ctx: Context) -> None:
    """One output per channel: `depthwise`; several: `conv` with zeros for the other channels."""
    x = ctx.tensor(op.input(0))
    weights = spread(weights_of(op)[0], (op.options["dilation_h"], op.options["dilation_w"]), (0, 1))
    kh, kw, outputs = weights.shape
    window = window_of(op, x, (kh, kw))
    bias = bias_of(op, weights.sum(axis=(0, 1)))
    pad_value = op.input(0).zero_point
    node: Conv | Depthwise
    if outputs == x.shape[2]:
        node = Depthwise(
            **ctx.place(op), inputs=(x.name,), weights=weights, bias=bias, window=window, pad_value=pad_value
        )
    else:
        dense = across_channels(weights, x.shape[2])
        node = Conv(
            **ctx.place(op), inputs=(x.name,), weights=dense, bias=bias, window=window, pad_value=pad_value
        )
    node.act = requantisation(op, node.acc_bounds(x.range))
    ctx.add(op, node)


def across_channels(weights: Ints, depth: int) -> Ints:
    """(KH, KW, O) with output o on channel o // (O / depth), as (O, KH, KW, depth)."""
    kh, kw, outputs = weights.shape
    result = np.zeros((outputs, kh, kw, depth), dtype=weights.dtype)
    rows = np.arange(outputs)
    result[rows, :, :, rows // (outputs // depth)] = np.moveaxis(weights, 2, 0)
    return result


CHECKS = {"DEPTHWISE_CONV_2D": check}
IMPORTERS = {"DEPTHWISE_CONV_2D": build}
