"""The model's edge: its own types and shapes outside, (N, H, W, C) integers inside."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hwgen.ir.tensor import Affine, Edge, HostChain, HostSoftmax, HostSteps, Tensor
from hwgen.numeric.rounding import Ints
from hwgen.support.errors import UsageError


def enter(edge: Edge, tensor: Tensor, x: NDArray) -> Ints:
    """The model's own array, batch first, as integers (N, H, W, C); floats are quantised."""
    x = np.asarray(x)
    if x.shape[1:] != edge.shape or x.ndim != len(edge.shape) + 1:
        wanted = ", ".join(map(str, ("N", *edge.shape)))
        raise UsageError(f"input must have the shape ({wanted}), not {x.shape}", where=edge.name)
    spread = edge.spread or tensor.shape
    order = (0, *(a + 1 for a in edge.axes))
    x = np.ascontiguousarray(x.reshape(len(x), *spread).transpose(order)).reshape(len(x), *tensor.shape)
    if edge.steps is not None:
        return count_steps(edge.steps, tensor, x)
    return quantise(edge.affine, tensor, x) if edge.affine else _integers(edge, tensor, x)


def leave(edge: Edge, tensor: Tensor, q: Ints) -> NDArray:
    """Integers (N, H, W, C) as the model's own array, batch first."""
    spread = edge.spread or tensor.shape
    seen = [spread[a] for a in edge.axes]
    back = np.argsort(edge.axes)
    if edge.chain is not None:
        y = chained(edge.chain, q)
        y = y.reshape(len(q), *seen).transpose(0, *(a + 1 for a in back)).reshape(len(q), *edge.shape)
        return (probabilities(edge.softmax, y) if edge.softmax else y).astype(edge.dtype)
    q = q.reshape(len(q), *seen).transpose(0, *(a + 1 for a in back)).reshape(len(q), *edge.shape)
    if edge.affine is None:
        return q.astype(edge.dtype)
    if edge.softmax is not None and edge.softmax.from_integers:
        return integer_probabilities(edge.softmax, edge.affine, q).astype(edge.dtype)
    y = dequantise(edge.affine, q)
    return (probabilities(edge.softmax, y) if edge.softmax else y).astype(edge.dtype)


def dequantise(affine: Affine, q: Ints) -> NDArray[np.float32]:
    """(q - zero_point) * scale in float32."""
    return (q - affine.zero_point).astype(np.float32) * np.float32(affine.scale)


def probabilities(tail: HostSoftmax, y: NDArray[np.float32]) -> NDArray:
    """softmax(y) in float32, rounded to the model's own integers and back if it does so.

    The runtime's exponential is a polynomial of its own: equal to it within a few float32 units.
    """
    axis = tail.axis + 1
    e = np.exp(y - y.max(axis=axis, keepdims=True))
    p = e / e.sum(axis=axis, keepdims=True)
    if tail.quantised is None:
        return p
    steps = np.rint(p / np.float32(tail.quantised.scale)).astype(np.int64) + tail.quantised.zero_point
    return dequantise(tail.quantised, np.clip(steps, tail.lo, tail.hi))


def integer_probabilities(tail: HostSoftmax, logits: Affine, q: Ints) -> NDArray[np.float32]:
    """onnxruntime's QLinearSoftmax, dequantised: float32 exponentials of max - q, added in order.

    y = rint(e * floor(1 / scale) / sum) + zero_point; the table is scaled up to float32's range.
    Source: onnxruntime contrib_ops/cpu/quantization/qlinear_softmax.cc.
    """
    assert tail.quantised is not None
    q = np.moveaxis(q, tail.axis + 1, -1)
    scale = np.float64(np.float32(logits.scale))
    room = max(0.0, np.log(np.float64(np.finfo(np.float32).max / np.float32(q.shape[-1]))) - 5) / scale
    table = np.exp((room - np.arange(256)) * scale).astype(np.float32)
    e = table[q.max(axis=-1, keepdims=True) - q]
    total = np.add.accumulate(e, axis=-1, dtype=np.float32)[..., -1:]
    steps = np.rint(e * np.floor(np.float32(1) / np.float32(tail.quantised.scale)) / total).astype(np.int64)
    y = np.clip(steps + tail.quantised.zero_point, tail.lo, tail.hi)
    return np.moveaxis(dequantise(tail.quantised, y), -1, tail.axis + 1)


_STEPS: dict[str, Callable[[NDArray, NDArray], NDArray]] = {
    "add": np.add,
    "sub": np.subtract,
    "rsub": lambda x, c: c - x,
    "mul": np.multiply,
    "div": np.divide,
    "rdiv": lambda x, c: c / x,
    "max": np.maximum,
    "min": np.minimum,
}


def chained(chain: HostChain, q: Ints) -> NDArray[np.float32]:
    """The float32 outputs behind integers (..., C)."""
    y = ((q + np.array(chain.shift)) * np.array(chain.scale)).astype(np.float32)
    for name, constant in chain.steps:
        y = _STEPS[name](y, np.array(constant, dtype=np.float32))
    return y


def count_steps(steps: HostSteps, tensor: Tensor, x: NDArray) -> Ints:
    """The integers of float inputs (..., C)."""
    _check_floats(tensor, x)
    x = x.astype(np.float32)
    thresholds = [np.array(row, dtype=np.float32) for row in steps.thresholds]
    columns = [x] if len(thresholds) == 1 else [x[..., c] for c in range(len(thresholds))]
    counted = [
        base + sign * np.searchsorted(row, column, side="right").astype(np.int64)
        for row, column, base, sign in zip(thresholds, columns, steps.base, steps.sign, strict=True)
    ]
    return counted[0] if len(counted) == 1 else np.stack(counted, axis=-1)


def _check_floats(tensor: Tensor, x: NDArray) -> None:
    if not np.issubdtype(x.dtype, np.floating):
        raise UsageError(f"input must be floating point, not {x.dtype}", where=tensor.name)
    if not np.all(np.isfinite(x)):
        raise UsageError("input has values that are not finite", where=tensor.name)


def quantise(affine: Affine, tensor: Tensor, x: NDArray) -> Ints:
    """clamp(round(x / scale) + zero_point) in float32, with the runtime's rounding of halves."""
    if affine.rounding == "none":
        return _whole(tensor, x)
    _check_floats(tensor, x)
    ratio = x.astype(np.float32) / np.float32(affine.scale)
    if affine.rounding == "even":
        rounded = np.rint(ratio)
    else:
        rounded = np.trunc(ratio) + np.where(np.abs(ratio - np.trunc(ratio)) >= 0.5, np.sign(ratio), 0)
    limits = tensor.range
    shifted = np.clip(rounded.astype(np.float64) + affine.zero_point, limits.lo, limits.hi)
    return shifted.astype(np.int64)


def _whole(tensor: Tensor, x: NDArray) -> Ints:
    """Numbers of any type that must be integers in range already."""
    q = np.rint(x).astype(np.int64) if np.all(np.isfinite(x)) else None
    if q is None or not np.array_equal(q, x):
        raise UsageError("input has values that are no integers", where=tensor.source or tensor.name)
    if q.size and (q.min() < tensor.range.lo or q.max() > tensor.range.hi):
        raise UsageError(f"input values {q.min()}..{q.max()} leave {tensor.range}", where=tensor.source)
    return q


def _integers(edge: Edge, tensor: Tensor, x: NDArray) -> Ints:
    if not np.issubdtype(x.dtype, np.integer):
        raise UsageError(f"input must be {edge.dtype}, not {x.dtype}", where=edge.name)
    q = x.astype(np.int64)
    if q.size and (q.min() < tensor.range.lo or q.max() > tensor.range.hi):
        raise UsageError(f"input values {q.min()}..{q.max()} leave {tensor.range}", where=edge.name)
    return q
