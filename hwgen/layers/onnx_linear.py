"""What Conv, Gemm, MatMul and their QLinear forms share: weights, groups, the accumulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwgen.ir.tensor import Shape, Tensor
from hwgen.layers.conv.op import Conv
from hwgen.layers.depthwise.op import Depthwise
from hwgen.layers.onnx_operation import Damaged, Operation, Unsupported
from hwgen.layers.onnx_values import Codes, Context, Grid, Plane, Source
from hwgen.layers.requantize_onnx import LIMITS, Floats, Scheme
from hwgen.layers.tflite_linear import MAX_WEIGHTS, spread
from hwgen.layers.window import Window
from hwgen.numeric.codes import reach
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import INT32_MAX, INT32_MIN, Ints
from hwgen.numeric.staircase import Staircase, from_function

MAX_IDENTITY = 1 << 22
_ACC = Range(INT32_MIN, INT32_MAX)


@dataclass(frozen=True)
class Zero:
    """What stands for 0.0 in a layer's input: a zero point, or the code of 0 among `values`."""

    integer: int
    values: tuple[int, ...] | None = None

    @classmethod
    def of(cls, grid: Grid) -> Zero:
        """That of a grid; 0 where there is none and none is needed."""
        return cls(grid.zero_point or 0, grid.values)

    @property
    def taken(self) -> int:
        """What every activation has too much of."""
        return 0 if self.values is not None else self.integer


@dataclass(eq=False)
class Weights:
    """Integer weights without zero point, outputs along axis 0; scale: float32 (outputs,) or (1,)."""

    q: Ints
    scale: Floats

    @property
    def outputs(self) -> int:
        """Number of output channels."""
        return self.q.shape[0]


def weights(codes: Codes, axis: int) -> Weights:
    """Weights with their outputs moved from `axis` to the front; scales along outputs or one for all."""
    if codes.dtype not in LIMITS:
        raise Unsupported(f"weights are {codes.dtype}; int8 and uint8 are supported")
    if codes.q.ndim < 2:
        raise Unsupported(f"weights of rank {codes.q.ndim}")
    q = np.moveaxis(codes.q, axis, 0)
    scale, zero = codes.scale, codes.zero_point
    if (scale.size > 1 or zero.size > 1) and codes.axis % codes.q.ndim != axis:
        raise Unsupported("weights are quantised along an axis that is not their outputs")
    if any(a.size not in (1, q.shape[0]) for a in (scale, zero)):
        raise Damaged(f"{scale.size} scales and {zero.size} zero points for {q.shape[0]} outputs")
    return Weights(q - zero.reshape((-1,) + (1,) * (q.ndim - 1)), scale)


class LinearSource(Source):
    """The accumulator sum(w * (q - zero_point)) + bias, per output channel."""

    few = False

    def __init__(self, node: Conv | Depthwise, x: Tensor) -> None:
        lo, hi = node.acc_bounds(x.range)
        if Range(int(lo.min()), int(hi.max())) not in _ACC:
            raise Unsupported("the accumulator can leave 32 bits, where the runtime wraps")
        super().__init__(lo, hi)
        self.node, self.x = node, x

    def emit(self, ctx: Context, op: Operation, act: Staircase | None, out: Scheme) -> Plane:
        """The convolution with its activation; without one it gives out its sums, by the identity."""
        node = self.node
        if act is None and int((self.hi - self.lo).max()) * len(self.lo) <= MAX_IDENTITY:
            act = from_function(lambda acc: acc, self.lo, self.hi)
        fields: dict[str, Any] = {"weights": node.weights, "bias": node.bias, "window": node.window}
        fields |= {"pad_value": node.pad_value, "values": node.values}
        tensor = ctx.add(op, type(node), (self.x,), **fields, act=act)
        return Plane(out.dtype, tensor.range, tensor)

    def shifted(self, grid: Grid) -> NDArray[np.float64]:
        """(outputs,) or (1,): sum(w * (shift + zero_point)), what the accumulator lacks of its sums."""
        if grid.unit.size > 1 and not isinstance(self.node, Depthwise):
            raise Unsupported("activations with a scale per channel; before this layer they need one scale")
        rest = grid.shift + (grid.zero_point or 0)
        if grid.values is not None or not np.any(rest):
            return np.zeros(1)
        return self._summed(self.node.weights.astype(np.float64), rest)

    def largest(self, grid: Grid) -> NDArray[np.float64]:
        """(outputs,): what sums of w * (q + shift) and all their parts stay below, in size."""
        seen = reach(self.node.seen(self.x.range))
        ends = [np.abs(end + grid.shift) for end in (seen.lo, seen.hi)]
        return self._summed(np.abs(self.node.weights.astype(np.float64)), np.maximum(*ends))

    def _summed(self, w: NDArray[np.float64], factors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums of w * factors by output; factors: one, or one for each channel before a reshape."""
        channels = w.shape[-1]
        if channels % factors.size:
            raise Unsupported("activations whose channels differ in scale, cut across by a Reshape")
        w = w * np.tile(factors, channels // factors.size)
        return w.sum(axis=(0, 1)) if isinstance(self.node, Depthwise) else w.sum(axis=(1, 2, 3))

    def shape(self, ctx: Context) -> Shape:
        """(H, W, O)."""
        return self.node.infer([self.x]).shape


def linear(w: Weights, bias: Ints, x: Tensor, zero: Zero, window: Window) -> LinearSource:
    """Dense convolution; w.q is (O, KH, KW, C)."""
    total = bias - zero.taken * w.q.reshape(w.outputs, -1).sum(axis=1)
    node = Conv(
        name="",
        inputs=(x.name,),
        output="",
        weights=w.q,
        bias=total,
        window=window,
        pad_value=zero.integer,
        values=zero.values,
    )
    return LinearSource(node, x)


def grouped(
    w: Weights, bias: Ints, x: Tensor, zero: Zero, window: Window, dilation: tuple[int, int], groups: int
) -> LinearSource:
    """Convolution of an ONNX kernel w.q (O, C/groups, KH, KW).

    One input and one output channel a group make a depthwise node; other groups are filled up with
    zero weights, as is a dilated kernel between its taps: the sums are the same.
    """
    outputs, inner = w.q.shape[:2]
    channels = x.shape[2]
    if groups < 1 or inner * groups != channels or outputs % groups:
        raise Damaged(f"weights {w.q.shape} in {groups} groups do not fit {channels} input channels")
    depthwise = groups == channels == outputs and groups > 1
    taps = window.kernel[0] * window.kernel[1]
    if taps * outputs * (1 if depthwise else channels) > MAX_WEIGHTS:
        raise Unsupported(f"with its groups and dilation filled up it has more than {MAX_WEIGHTS} weights")
    kernel = spread(w.q, dilation, (2, 3))
    if depthwise:
        total = bias - zero.taken * kernel.sum(axis=(1, 2, 3))
        node = Depthwise(
            name="",
            inputs=(x.name,),
            output="",
            weights=np.ascontiguousarray(kernel[:, 0].transpose(1, 2, 0)),
            bias=total,
            window=window,
            pad_value=zero.integer,
            values=zero.values,
        )
        return LinearSource(node, x)
    full = np.zeros((outputs, *window.kernel, channels), dtype=np.int64)
    per_group = outputs // groups
    for g in range(groups):
        rows = slice(g * per_group, (g + 1) * per_group)
        full[rows, :, :, g * inner : (g + 1) * inner] = kernel[rows].transpose(0, 2, 3, 1)
    return linear(Weights(full, w.scale), bias, x, zero, window)


def int32_bias(array: NDArray | None, outputs: int) -> Ints:
    """Bias of a QLinear operation, or zeros."""
    if array is None:
        return np.zeros(outputs, dtype=np.int64)
    if array.dtype != np.int32 or array.size not in (1, outputs):
        raise Damaged(f"bias is {array.dtype} of {array.size}, not int32 of {outputs}")
    return np.broadcast_to(array.ravel().astype(np.int64), (outputs,))
