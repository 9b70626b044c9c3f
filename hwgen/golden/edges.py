"""The model's edge: its own types and shapes outside, (N, H, W, C) integers inside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwgen.ir.tensor import Affine, Edge, HostSoftmax, Tensor
from hwgen.numeric.rounding import Ints
from hwgen.support.errors import UsageError


def enter(edge: Edge, tensor: Tensor, x: NDArray) -> Ints:
    """The model's own array, batch first, as integers (N, H, W, C); floats are quantised."""
    x = np.asarray(x)
    if x.shape[1:] != edge.shape or x.ndim != len(edge.shape) + 1:
        wanted = ", ".join(map(str, ("N", *edge.shape)))
        raise UsageError(f"input must have the shape ({wanted}), not {x.shape}", where=edge.name)
    q = quantise(edge.affine, tensor, x) if edge.affine else _integers(edge, tensor, x)
    spread = edge.spread or tensor.shape
    return np.ascontiguousarray(q.reshape(len(x), *spread).transpose(0, *(a + 1 for a in edge.axes))).reshape(
        len(x), *tensor.shape
    )


def leave(edge: Edge, tensor: Tensor, q: Ints) -> NDArray:
    """Integers (N, H, W, C) as the model's own array, batch first."""
    spread = edge.spread or tensor.shape
    seen = [spread[a] for a in edge.axes]
    back = np.argsort(edge.axes)
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


def quantise(affine: Affine, tensor: Tensor, x: NDArray) -> Ints:
    """clamp(round(x / scale) + zero_point) in float32, with the runtime's rounding of halves."""
    if not np.issubdtype(x.dtype, np.floating):
        raise UsageError(f"input must be floating point, not {x.dtype}", where=tensor.name)
    if not np.all(np.isfinite(x)):
        raise UsageError("input has values that are not finite", where=tensor.name)
    ratio = x.astype(np.float32) / np.float32(affine.scale)
    if affine.rounding == "even":
        rounded = np.rint(ratio)
    else:
        rounded = np.trunc(ratio) + np.where(np.abs(ratio - np.trunc(ratio)) >= 0.5, np.sign(ratio), 0)
    limits = tensor.range
    shifted = np.clip(rounded.astype(np.float64) + affine.zero_point, limits.lo, limits.hi)
    return shifted.astype(np.int64)


def _integers(edge: Edge, tensor: Tensor, x: NDArray) -> Ints:
    if not np.issubdtype(x.dtype, np.integer):
        raise UsageError(f"input must be {edge.dtype}, not {x.dtype}", where=edge.name)
    q = x.astype(np.int64)
    if q.size and (q.min() < tensor.range.lo or q.max() > tensor.range.hi):
        raise UsageError(f"input values {q.min()}..{q.max()} leave {tensor.range}", where=edge.name)
    return q
