"""Where a graph begins and ends: model inputs as values, and how the host sees what streams in and out."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from hwgen.frontend.onnx.proto import Port
from hwgen.ir.graph import Graph
from hwgen.ir.tensor import Affine, Edge, HostChain, HostSoftmax, Shape, Tensor
from hwgen.layers.onnx_grid import gridded
from hwgen.layers.onnx_operation import Operation, Unsupported
from hwgen.layers.onnx_values import (
    Const,
    Context,
    Entry,
    HostTail,
    Index,
    Plane,
    PlaneSource,
    Quant,
    Raw,
    Real,
    Value,
)
from hwgen.layers.requantize_onnx import LIMITS, Scheme


def entering(port: Port) -> Value:
    """A model input before any layer has seen it."""
    entry = Entry(port.name, port.dims, port.dtype)
    index = np.arange(int(np.prod(port.dims)), dtype=np.int32).reshape(port.dims)
    if port.whole is not None:
        entry.whole, entry.plane = True, Plane("int8", port.whole, entry=entry)
        host = HostChain((0.0,), (1.0,))
        return Real(PlaneSource(entry.plane), lambda q: q.astype(np.float32), index, host=host)
    if port.dtype == "float32":
        return Raw(entry, index)
    entry.plane = Plane(port.dtype, LIMITS[port.dtype], entry=entry)
    return Quant(entry.plane, index)


def input_edge(entry: Entry, tensor: Tensor, order: Index) -> Edge:
    """A model input that streams as `tensor`; order: its own position of each element of the stream."""
    axes, spread = transposition([tensor.shape], order.ravel())
    affine = None
    if entry.scheme is not None:
        affine = Affine(entry.scheme.scale, entry.scheme.zero_point, "even")
    elif entry.whole:
        affine = Affine(1.0, 0, "none")
    return Edge(entry.name, tensor.name, entry.dims[1:], entry.dtype, affine, spread, axes, steps=entry.steps)


def leave(ctx: Context, graph: Graph, name: str, op: Operation) -> None:
    """Declare the output `name` of the graph: the value that `op` reads."""
    value = ctx.value(op, 0)
    dtype, affine, chain, softmax = "float32", None, None, None
    if isinstance(value, HostTail):
        softmax = _host_softmax(value)
        value = value.logits
    if isinstance(value, (Const, Raw)):
        raise Unsupported("does not depend on quantised values")
    if isinstance(value, Real):
        if value.host is None and ctx.runtime == "qonnx":
            found, grid = gridded(ctx, op, value)
            value = Real(PlaneSource(found.plane), value.chain, found.index)
            value.host = HostChain(tuple(grid.shift.tolist()), tuple(grid.unit.tolist()))
        if value.host is None:
            raise Unsupported(
                "is a float that no DequantizeLinear makes; quantise the last layer's output "
                "(QuantizeLinear, DequantizeLinear)"
            )
        if isinstance(value.host, HostChain):
            chain, scheme = value.host, Scheme(1.0, 0, "int32")
        else:
            affine, scheme = value.host, value.scheme or Scheme(value.host.scale, 0, "int32")
        plane = value.source.once(ctx, op.inner(), None, scheme)
    else:
        plane, dtype = value.plane, value.dtype
    tensor, positions = ctx.streamed(Quant(plane, value.index))
    dims = value.index.shape
    if not dims or dims[0] != 1 or positions.size != tensor.size:
        raise Unsupported(f"has shape {dims}; the batch must stay first, with every element kept")
    shapes = [tensor.shape] + [t.shape for t in graph.tensors.values() if t.size == tensor.size]
    axes, spread = transposition(list(dict.fromkeys(shapes)), np.argsort(positions.ravel()))
    graph.add_output(Edge(name, tensor.name, dims[1:], dtype, affine, spread, axes, softmax, chain=chain))


def transposition(shapes: list[Shape], order: NDArray) -> tuple[Shape, Shape]:
    """(axes, spread): order = arange viewed as `spread`, transposed by `axes` to one of `shapes`, flat."""
    for shape, axes in product(shapes, permutations(range(3))):
        sizes = [0, 0, 0]
        for place, axis in enumerate(axes):
            sizes[axis] = shape[place]
        seen = np.arange(order.size, dtype=np.int32).reshape(sizes).transpose(axes)
        if np.array_equal(seen.ravel(), order):
            return (axes[0], axes[1], axes[2]), (sizes[0], sizes[1], sizes[2])
    raise Unsupported("the order of its elements is no transposition of an image")


def _host_softmax(tail: HostTail) -> HostSoftmax:
    if tail.axis == 0:
        raise Unsupported("is a Softmax over the batch")
    if tail.integer:
        raise Unsupported("is a quantised Softmax; dequantise it")
    if tail.scheme is None:
        return HostSoftmax(tail.axis - 1)
    affine = Affine(tail.scheme.scale, tail.scheme.zero_point, "even")
    limits = tail.scheme.limits
    return HostSoftmax(tail.axis - 1, affine, limits.lo, limits.hi, tail.from_integers)
