"""Builds the graph while importers run: values by name, the order in which tensors stream."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwgen.frontend.onnx.edges import entering, input_edge
from hwgen.frontend.onnx.proto import MAX_ELEMENTS, Model
from hwgen.ir.graph import Graph
from hwgen.ir.node import Node
from hwgen.ir.tensor import HostSteps, Shape, Tensor
from hwgen.layers.onnx_grid import gridded
from hwgen.layers.onnx_operation import Damaged, Operation, Unsupported
from hwgen.layers.onnx_values import (
    Codes,
    Const,
    Context,
    Entry,
    Grid,
    Index,
    Plane,
    PlaneSource,
    Quant,
    Raw,
    Real,
    Value,
)
from hwgen.layers.requantize_onnx import LIMITS, Floats, Scheme
from hwgen.layers.reshape.op import Reshape
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints

_CODE_TYPES = ("int8", "uint8", "int16", "uint16", "int32")
_INTEGER_KINDS = (
    *("QuantizeLinear", "QGemm", "ArgMax", "TopK"),
    *("Quant", "IntQuant", "BipolarQuant", "Trunc", "MultiThreshold"),
)
MAX_NOTES, MAX_CODE = 64, 1 << 15
_ORDER = "its elements would have to change order in mid-stream (a Transpose or Reshape before it)"


class Skipped(Exception):
    """An input comes from a node that was refused already."""


class ImportContext(Context):
    """What importers of ONNX operations get."""

    def __init__(self, graph: Graph, model: Model, runtime: str) -> None:
        self.graph, self.runtime = graph, runtime
        self.values: dict[str, Value | None] = {}
        self._unreadable: dict[str, str] = {}
        self._reshaped: dict[tuple[str, Shape], Tensor] = {}
        self._elements = 0
        self._count: dict[int, int] = {}
        for name, array in model.constants.items():
            if isinstance(array, str):
                self._unreadable[name] = array
            else:
                self.values[name] = Const(array)
        for port in model.inputs:
            self.values[port.name] = entering(port)

    # ---- reading inputs of operations

    def value(self, op: Operation, i: int) -> Value:
        """Input i of an operation."""
        if not op.has(i):
            raise Damaged(f"input {i} is missing")
        name = op.inputs[i]
        if name in self._unreadable:
            raise Unsupported(f"the constant {name} {self._unreadable[name]}")
        if name not in self.values:
            raise Damaged(f"reads {name}, which nothing before it makes")
        value = self.values[name]
        if value is None:
            raise Skipped
        return value

    def array(self, op: Operation, i: int, what: str) -> NDArray:
        """Input i as a constant array of at least one element."""
        value = self.value(op, i)
        if not isinstance(value, Const):
            raise Unsupported(f"{what} (input {i}) is computed; a constant is supported")
        if not value.array.size:
            raise Damaged(f"{what} (input {i}) is empty")
        return value.array

    def integers(self, op: Operation, i: int, what: str) -> list[int]:
        """Input i as constant integers."""
        value = self.value(op, i)
        if isinstance(value, Const) and not value.array.size:
            return []
        array = self.array(op, i, what)
        if array.dtype.kind != "i" or array.ndim > 1 or array.size > 64:
            raise Damaged(f"{what} (input {i}) is {array.dtype} of shape {array.shape}")
        return [int(v) for v in array.ravel()]

    def quant(self, op: Operation, i: int) -> Quant:
        """Input i as integers."""
        value = self.value(op, i)
        if not isinstance(value, Quant):
            raise Unsupported(f"input {i} is not quantised; put QuantizeLinear before it")
        return value

    def dequantized(self, op: Operation, i: int) -> tuple[Quant, Scheme]:
        """Input i as the integers that a DequantizeLinear made real."""
        value = self.value(op, i)
        if isinstance(value, Raw):
            raise Unsupported(f"input {i} is a float model input; put QuantizeLinear after the input")
        if isinstance(value, Quant):
            raise Unsupported(f"input {i} is integers where a float is expected")
        if not isinstance(value, Real) or value.scheme is None:
            raise Unsupported(
                f"input {i} is a float that is not directly dequantised; quantise and dequantise it first"
            )
        if not isinstance(value.source, PlaneSource):
            plane = value.source.once(self, op.inner(), None, value.scheme)
            return Quant(plane, value.index), value.scheme
        return Quant(value.source.plane, value.index), value.scheme

    def grid(self, op: Operation, i: int, padded: bool = False, coded: bool = False) -> tuple[Quant, Grid]:
        """Input i as integers on a grid; padded: an integer must stand for 0.0; coded: codes will do."""
        value = self.value(op, i)
        if self.runtime == "qonnx" and isinstance(value, Real):
            return gridded(self, op, value, padded, coded)
        quant, scheme = self.dequantized(op, i)
        return quant, Grid.of(scheme)

    def note(self, text: str) -> None:
        """Say something about the graph's exactness."""
        if len(self.graph.notes) < MAX_NOTES:
            self.graph.notes.append(text)

    def codes(self, op: Operation, i: int) -> Codes:
        """Input i as integers behind a dequantised constant."""
        value = self.value(op, i)
        if not isinstance(value, Const):
            raise Unsupported(f"input {i} is computed; constant weights are supported")
        if value.codes is None and self.runtime == "qonnx":
            value.codes = whole_codes(value.array)
        if value.codes is None:
            raise Unsupported(f"the weights (input {i}) are float; quantise them")
        return value.codes

    def codes_of(self, op: Operation, q: int, scale: int, zero_point: int, axis: int) -> Codes:
        """The constants in three inputs, with scales along `axis`."""
        array = self.array(op, q, "weights")
        if array.dtype.name not in _CODE_TYPES:
            raise Unsupported(f"a constant of {array.dtype} in place of integers")
        scales, zeros, dtype, axis = self.parameters(op, scale, zero_point, axis, array.shape)
        if op.has(zero_point) and dtype != array.dtype.name:
            raise Damaged(f"integers are {array.dtype}, their zero point {dtype}")
        return Codes(array.astype(np.int64), scales, zeros, axis, array.dtype.name)

    def parameters(
        self, op: Operation, scale: int, zero: int, axis: int, shape: tuple[int, ...]
    ) -> tuple[Floats, Ints, str, int]:
        """(scales, zero points, type, axis >= 0) of a constant of `shape`, from two inputs."""
        scales = self._scales(op, scale)
        zeros, dtype = np.zeros(1, dtype=np.int64), "uint8"
        if op.has(zero):
            array = self.array(op, zero, "the zero point")
            zeros, dtype = array.astype(np.int64).ravel(), array.dtype.name
            if dtype not in _CODE_TYPES:
                raise Unsupported(f"a zero point of type {dtype}")
        rank = len(shape)
        single = scales.size == zeros.size == 1
        if not single and (
            not -rank <= axis < rank or any(a.size not in (1, shape[axis]) for a in (scales, zeros))
        ):
            raise Damaged(f"{scales.size} scales, {zeros.size} zero points along axis {axis} of {shape}")
        return scales, zeros, dtype, axis % rank if rank else 0

    def scheme(self, op: Operation, i: int, dtype: str) -> Scheme:
        """Per-tensor scale and zero point in inputs i and i+1; dtype: what the zero point must be."""
        scales = self._scales(op, i)
        zero = self.array(op, i + 1, "the zero point") if op.has(i + 1) else None
        kind = zero.dtype.name if zero is not None else dtype or "uint8"
        if scales.size != 1 or (zero is not None and zero.size != 1):
            raise Unsupported("an activation with a scale per channel; one scale per tensor is supported")
        if kind not in LIMITS:
            raise Unsupported(f"activations of type {kind}; int8 and uint8 are supported")
        if dtype and kind != dtype:
            raise Damaged(f"integers are {dtype}, their zero point {kind}")
        return Scheme(float(scales[0]), int(zero.reshape(-1)[0]) if zero is not None else 0, kind)

    def _scales(self, op: Operation, i: int) -> Floats:
        array = self.array(op, i, "the scale")
        if array.dtype != np.float32:
            raise Unsupported(f"a scale of type {array.dtype}; float32 is supported")
        if array.ndim > 1:
            raise Unsupported("block-wise quantisation")
        if not np.all(np.isfinite(array)) or np.any(array <= 0):
            raise Damaged("a scale is not a positive number")
        return array.ravel()

    # ---- the order in which tensors stream

    def entered(self, x: Raw, scheme: Scheme, limits: Range | None = None) -> Quant:
        """A float graph input quantised by the host."""
        entry = x.entry
        limits = limits or scheme.limits
        if entry.plane is None:
            entry.scheme = scheme
            entry.plane = Plane(scheme.dtype, limits, entry=entry)
        elif entry.scheme != scheme or entry.plane.range != limits:
            raise Unsupported(f"input {entry.name} is quantised in two different ways")
        return Quant(entry.plane, x.index)

    def entered_in_steps(self, entry: Entry, steps: HostSteps, limits: Range) -> Plane:
        """A float graph input as the integers that the host makes of it in steps."""
        if entry.plane is None:
            entry.steps, entry.plane = steps, Plane("int8", limits, entry=entry)
        elif entry.steps != steps:
            raise Unsupported(f"input {entry.name} is quantised in two different ways")
        return entry.plane

    def settle(self, plane: Plane, shape: Shape, order: Index) -> Tensor:
        """Make an open graph input an IR tensor of `shape`; order: its own position of each element."""
        if plane.tensor is None:
            return self._settle(plane, shape, order)
        entry = plane.entry
        assert entry is not None and entry.where is not None
        if not np.array_equal(entry.where[order.ravel()], np.arange(order.size)):
            raise Unsupported(_ORDER)
        return self.reshaped(plane.tensor, shape)

    def place(self, plane: Plane) -> Tensor:
        """The plane's IR tensor; an open graph input: NCHW if of rank 4, else one vector."""
        if plane.tensor is not None:
            return plane.tensor
        assert plane.entry is not None
        dims = plane.entry.dims
        order = np.arange(int(np.prod(dims)), dtype=np.int32)
        if len(dims) == 4:
            order = order.reshape(dims[1:]).transpose(1, 2, 0)
            return self._settle(plane, order.shape, order)
        return self._settle(plane, (1, 1, order.size), order)

    def streamed(self, value: Quant) -> tuple[Tensor, Index]:
        """The IR tensor, and the index in terms of it, in whatever order it streams.

        A graph input still open becomes what it is seen as here: NCHW an image, all else one vector."""
        plane, index = value.plane, value.index
        if plane.tensor is None and index.ndim == 4 and len(index) == 1:
            order = index[0].transpose(1, 2, 0)
            self._settle(plane, order.shape, order)
        elif plane.tensor is None:
            self._settle(plane, (1, 1, index.size), index)
        return self.place(plane), self._positions(value)

    def image(self, value: Quant) -> Tensor:
        """An ONNX (1, C, H, W) value as IR tensor (H, W, C)."""
        dims = value.index.shape
        if len(dims) != 4 or dims[0] != 1:
            raise Unsupported(f"an input of shape {dims}; images (1, C, H, W) are supported")
        order = value.index[0].transpose(1, 2, 0)
        return self._in_order(value, order.shape, order)

    def rows(self, value: Quant) -> tuple[Tensor, Ints | None]:
        """An ONNX (..., K) value as IR tensor (1, L, K); for L = 1 with the ONNX column of each channel."""
        width = value.index.shape[-1]
        length = value.index.size // width
        if length > 1:
            return self._in_order(value, (1, length, width), value.index), None
        tensor, index = self.streamed(value)
        positions = index.ravel()
        if tensor.size != width:
            raise Unsupported("part of a tensor as input")
        columns = np.argsort(positions)
        natural = bool(np.array_equal(columns, np.arange(width)))
        return self.reshaped(tensor, (1, 1, width)), None if natural else columns

    def reshaped(self, tensor: Tensor, shape: Shape) -> Tensor:
        """The same stream under another shape."""
        if tensor.shape == shape:
            return tensor
        key = (tensor.name, shape)
        if key not in self._reshaped:
            name = f"{tensor.name}_as_{'x'.join(map(str, shape))}"
            self._reshaped[key] = self.graph.add(
                Reshape(name=name, inputs=(tensor.name,), output=name, shape=shape)
            )
        return self._reshaped[key]

    def _in_order(self, value: Quant, shape: tuple[int, ...], order: Index) -> Tensor:
        """The value's tensor as `shape`, if it streams as `order` says (or is a graph input still open)."""
        height, width, channels = shape
        plane = value.plane
        if plane.tensor is None:
            return self._settle(plane, (height, width, channels), order)
        positions = self._positions(Quant(plane, order)).ravel()
        if not np.array_equal(positions, np.arange(plane.tensor.size)):
            raise Unsupported(_ORDER)
        return self.reshaped(plane.tensor, (height, width, channels))

    def _positions(self, value: Quant) -> Index:
        entry = value.plane.entry
        if entry is None:
            return value.index
        assert entry.where is not None
        return entry.where[value.index]

    def _settle(self, plane: Plane, shape: tuple[int, ...], order: Index) -> Tensor:
        """Make the open graph input of `plane` an IR tensor; order: own position of each element."""
        entry = plane.entry
        assert entry is not None
        height, width, channels = shape
        self.count(order.size)
        tensor = Tensor(f"input_{len(self.graph.inputs)}", (height, width, channels), plane.range, entry.name)
        self.graph.add_input(input_edge(entry, tensor, order), tensor)
        plane.tensor = tensor
        entry.where = np.empty(order.size, dtype=np.int32)
        entry.where[order.ravel()] = np.arange(order.size, dtype=np.int32)
        return tensor

    # ---- writing the graph

    def add(self, op: Operation, make: type[Node], inputs: tuple[Tensor, ...], **fields: Any) -> Tensor:
        """Append a node; its source is the operation's output, where that is the node's integers."""
        again = self._count.get(op.position, 0)
        self._count[op.position] = again + 1
        name = f"{make.kind}_{op.position}" + (
            chr(ord("a") + again % 26) * (again // 26 + 1) if again else ""
        )
        names = tuple(t.name for t in inputs)
        node = make(name=name, inputs=names, output=name, source=self._source(op), **fields)
        shape = node.infer(list(inputs)).shape
        self.count(shape[0] * shape[1] * shape[2])
        return self.graph.add(node)

    def _source(self, op: Operation) -> str:
        makes_integers = op.kind in _INTEGER_KINDS or op.kind.startswith("QLinear")
        keeps_integers = op.inputs and isinstance(self.values.get(op.inputs[0]), Quant)
        return op.outputs[0] if op.outputs and (makes_integers or keeps_integers) else ""

    def count(self, elements: int) -> None:
        """Bound what a hostile file can make hwgen allocate."""
        self._elements += elements
        if elements > MAX_ELEMENTS or self._elements > 8 * MAX_ELEMENTS:
            raise Unsupported(f"tensors of {self._elements} elements in all; too many for any board")


def whole_codes(array: NDArray) -> Codes | None:
    """A float constant that holds integers as such, with the scale 1 (FINN's models); else None."""
    if array.dtype.kind != "f" or not array.size or not np.all(np.abs(array) <= MAX_CODE):
        return None
    q = np.rint(array).astype(np.int64)
    if not np.array_equal(q, array):
        return None
    dtype = "int8" if q.min() >= -128 and q.max() <= 255 else "int16"
    return Codes(q, np.ones(1, np.float32), np.zeros(1, np.int64), 0, dtype)
