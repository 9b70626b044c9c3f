"""MaxPool of ONNX, on integers or on reals: a maximum commutes with every quantiser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hwgen.ir.tensor import Shape, Tensor
from hwgen.layers.maxpool.op import MaxPool
from hwgen.layers.onnx_elementwise import real_input
from hwgen.layers.onnx_operation import Operation, Unsupported
from hwgen.layers.onnx_values import Context, Plane, PlaneSource, Quant, Source, Value, arranged
from hwgen.layers.onnx_window import check_inside, kernel_shape, window
from hwgen.layers.requantize_onnx import Scheme
from hwgen.layers.window import Window
from hwgen.numeric.rounding import Ints
from hwgen.numeric.staircase import Staircase


class MaxSource(Source):
    """Window maximum after another source: quantised first, pooled then.

    On a tensor that exists and with a rising quantiser it is pooled first, which is less work."""

    def __init__(self, inner: Source, size: Shape, shape: Window) -> None:
        super().__init__(inner.lo, inner.hi)
        self.inner, self.size, self.window = inner, size, shape
        self.few, self.bare = inner.few, inner.bare

    def emit(self, ctx: Context, op: Operation, act: Staircase | None, out: Scheme) -> Plane:
        """Two nodes, or one that does both."""
        first = isinstance(self.inner, PlaneSource) and act is not None and np.all(act.sign > 0)
        before, after = (None, act) if first else (act, None)
        plane = self.inner.once(ctx, op.inner(), before, out)
        tensor = ctx.add(op, MaxPool, (ctx.place(plane),), window=self.window, act=after)
        return Plane(out.dtype, tensor.range, tensor)

    def decide(self, found: list[Staircase], wholes: list[Callable[[NDArray], Ints]]) -> bool:
        """As the inner source, whose steps they are."""
        return self.inner.decide(found, wholes)

    def shape(self, ctx: Context) -> Shape:
        """(H, W, C) after pooling."""
        return (*self.window.output_size(self.size[:2]), self.size[2])


def max_pool(op: Operation, ctx: Context) -> Value:
    """MaxPool of NCHW."""
    if len(op.outputs) > 1 and op.outputs[1]:
        raise Unsupported("the indices of the maxima")
    if op.integer("storage_order", 0):
        raise Unsupported("storage_order 1")
    value = ctx.value(op, 0)
    if isinstance(value, Quant):
        tensor = ctx.image(value)
        pooled = ctx.add(op, MaxPool, (tensor,), window=_window(op, tensor.shape))
        return Quant(Plane(value.dtype, pooled.range, pooled), _index(pooled))
    real = real_input(op, ctx)
    source = real.source
    if isinstance(source, PlaneSource):
        tensor = ctx.image(Quant(source.plane, real.index))
        source, size = PlaneSource(Plane(source.plane.dtype, tensor.range, tensor)), tensor.shape
    else:
        size = source.shape(ctx)
        dims = (1, size[2], size[0], size[1])
        if real.index.shape != dims or not np.array_equal(real.index, arranged(size, dims)):
            raise Unsupported("a maximum over another order than NCHW")
    maximum = MaxSource(source, size, _window(op, size))
    height, width, channels = maximum.shape(ctx)
    index = arranged((height, width, channels), (1, channels, height, width))
    result = replace(real, source=maximum, index=index, fused=None)
    ends = np.asarray(real.chain(np.stack([source.lo, source.hi], axis=1)))
    if np.any(ends[:, 1] < ends[:, 0]):
        result.host = None  # a maximum of such floats is no maximum of their integers
    if len(source.lo) > 1:
        maximum.lo, maximum.hi = source.lo, source.hi
    return result


def _window(op: Operation, size: Shape) -> Window:
    shape, dilation = window(op, size[:2], kernel_shape(op))
    if dilation != (1, 1):
        raise Unsupported("a maximum with dilation")
    check_inside(shape)
    return shape


def _index(tensor: Tensor) -> np.ndarray:
    height, width, channels = tensor.shape
    return arranged(tensor.shape, (1, channels, height, width))


IMPORTERS = {"MaxPool": max_pool}
