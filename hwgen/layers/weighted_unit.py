"""Hardware and cost that `conv` and `depthwise` share: window, products, activation, queue."""

from __future__ import annotations

from math import ceil
from typing import Any

from amaranth.lib import wiring

from hwgen.hw.layer import LayerUnit
from hwgen.hw.mvu import ReducerPipeline, reducer_cost
from hwgen.hw.staircase import StaircaseUnit
from hwgen.hw.window import WindowBuffer
from hwgen.hw.window_math import WindowGeometry
from hwgen.ir.tensor import Tensor
from hwgen.layers.activation import activation_cost
from hwgen.layers.folding import Folding, Stage, drain_cost, window_cost, window_stage
from hwgen.layers.weighted import Weighted
from hwgen.numeric.codes import Coded
from hwgen.targets.base import Target
from hwgen.targets.resources import Resources
from hwgen.weights.code import FORMS

LATENCY = 35  # about what window, products and activation take together


def window_of(node: Weighted, x: Tensor, folding: Folding, target: Target, **order: Any) -> WindowBuffer:
    """The node's window; order: how words follow each other (see WindowBuffer)."""
    return WindowBuffer(
        shape=x.shape,
        value=x.range,
        kernel=node.window.kernel,
        stride=node.window.stride,
        pad=node.window.pad,
        pad_value=node.pad_value,
        lanes=folding.simd,
        target=target,
        **order,
    )


def rom_of(node: Weighted) -> str:
    """Form of the ROM of weights."""
    return "auto" if node.code is None else "exchange"


def unit(
    node: Weighted, window: WindowBuffer, reducer: ReducerPipeline, folding: Folding, words: int
) -> wiring.Component:
    """The layer behind this window; bias, and what the products are off by, go into the steps."""
    assert node.act is not None  # the engine refuses a layer without one
    activation = StaircaseUnit(
        node.act.shifted(node.bias - reducer.offset),
        lanes=folding.lanes,
        channels=node.outputs,
        value=reducer.accumulator,
        split_at=reducer.offset - node.bias,
        target=reducer.target,
    )
    return LayerUnit(
        window=window,
        reducer=reducer,
        acc=reducer.accumulator,
        pe=folding.pe,
        lanes=folding.lanes,
        activation=activation,
        out=node.act.range,
        words=words,
        shared=reducer.shared is not None,
    )


def products(node: Weighted, x: Tensor, simd: int, pe: int, target: Target) -> list[str]:
    """Forms of products of `simd` lanes for `pe` outputs that share them."""
    value = node.seen(x.range)
    return [
        name
        for name, form in FORMS.items()
        if form.coded == isinstance(value, Coded) and form.suits(node.levels, value, simd, pe, target)
    ]


def interval(geometry: WindowGeometry) -> int:
    """Clocks per output pixel: the work, or the arrival of the input where strides skip most of it."""
    return ceil(geometry.cycles / (geometry.out_size[0] * geometry.out_size[1]))


def cost(
    node: Weighted,
    x: Tensor,
    folding: Folding,
    geometry: WindowGeometry,
    *,
    simd: int,
    words: int,
    target: Target,
) -> Resources:
    """Window, products of `simd` lanes an output and accumulators, weights, activation and queue."""
    acc = node.raw_range(x.range)
    total = window_cost(geometry, x.range.width, target)
    total += reducer_cost(
        form=FORMS[folding.product],
        simd=simd,
        pe=folding.pe,
        lanes=folding.simd,
        depth=node.weights.size // (simd * folding.pe),
        levels=node.levels,
        value=node.seen(x.range),
        accumulator=acc,
        rom=rom_of(node),
        target=target,
    )
    out = node.act.range if node.act else acc
    total += drain_cost(
        folding.pe, folding.lanes, acc.width, out.width, words=words, latency=LATENCY, target=target
    )
    if node.act is not None:
        total += activation_cost(node.raw_act, folding.lanes, node.outputs, acc, target, -node.bias)
    return total


def stage(geometry: WindowGeometry, words: int) -> Stage:
    """Rows of the window, one pixel every interval."""
    return window_stage(geometry, interval(geometry), LATENCY, words)
