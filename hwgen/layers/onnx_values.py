"""What flows between importers of ONNX operations: constants, graph inputs, integers, and reals
that are a monotone float32 function of integers and wait for the QuantizeLinear that ends them.

Every value has an `index`: an array of the shape that ONNX says (batch 1 included) whose elements are
positions in the underlying integers. Reshape, Transpose, Flatten and the like only change the index;
a layer then asks the context for its input in the order that the hardware streams.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hwgen.ir.node import Node
from hwgen.ir.tensor import Affine, HostChain, HostStep, HostSteps, Shape, Tensor
from hwgen.layers.onnx_operation import Operation
from hwgen.layers.requantize_onnx import Chain, Floats, Scheme, dequantize, staircase
from hwgen.layers.staircase.op import Step
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints, ints
from hwgen.numeric.staircase import Staircase, from_function

Index = NDArray[np.int32]
MAX_ZERO = 1 << 16
"""Zero points beyond this are a hostile file's."""


@dataclass(eq=False)
class Codes:
    """Integers behind a dequantised constant: array = (q - zero_point) * scale along `axis`."""

    q: Ints
    scale: Floats
    zero_point: Ints
    axis: int
    dtype: str


@dataclass(eq=False)
class Const:
    """A constant; `codes` where it is the output of a DequantizeLinear of integers."""

    array: NDArray
    codes: Codes | None = None


@dataclass(eq=False)
class Entry:
    """A graph input and, once a layer has chosen its order, its IR tensor.

    What the host does to it: `scheme`, or `whole` (nothing: floats that are integers), or `steps`.
    where: IR position of each of the model's own elements, in the model's order."""

    name: str
    dims: tuple[int, ...]
    dtype: str
    scheme: Scheme | None = None
    whole: bool = False
    steps: HostSteps | None = None
    plane: Plane | None = None
    where: Index | None = None


@dataclass(eq=False)
class Raw:
    """A float graph input that no QuantizeLinear has seen yet."""

    entry: Entry
    index: Index


@dataclass(eq=False)
class Plane:
    """Integers of an IR tensor, or of a graph input (`entry`) whose order is still open."""

    dtype: str
    range: Range
    tensor: Tensor | None = None
    entry: Entry | None = None


@dataclass(eq=False)
class Quant:
    """Integers as ONNX sees them: index into the plane's elements."""

    plane: Plane
    index: Index

    @property
    def dtype(self) -> str:
        """ONNX type."""
        return self.plane.dtype


class Source:
    """Where the integers of a `Real` come from; makes its node when the activation is known.

    lo, hi: (rows,) range of the integers, rows 1 or the number of channels, or kinds of pixels if
    there are pixel_rows. per_channel: whether rows can be channels. few: whether the integers are as few as
    activations (a layer can take them), not an accumulator's. bare: whether it can emit them as they are.
    """

    per_channel = True
    few = True
    bare = True

    def __init__(self, lo: Ints, hi: Ints, pixel_rows: Ints | None = None) -> None:
        self.lo, self.hi, self.pixel_rows = lo, hi, pixel_rows
        self.made: dict[bytes, Plane] = {}

    def emit(self, ctx: Context, op: Operation, act: Staircase | None, out: Scheme) -> Plane:
        """The plane of act(integers), which has the type of `out`; without act of the integers themselves."""
        raise TypeError(f"{type(self).__name__} does not say what it makes")

    def shape(self, ctx: Context) -> Shape:
        """(H, W, C) of that plane."""
        raise TypeError(f"{type(self).__name__} does not say what shape it makes")

    def decide(self, found: list[Staircase], wholes: list[Callable[[NDArray], Ints]]) -> bool:
        """Whether something was found out about steps that the doubts of a chain leave open: look again.

        found: the staircases of `wholes`, which are the chain with its quantiser, and so for every doubt."""
        return False

    def once(self, ctx: Context, op: Operation, act: Staircase | None, out: Scheme) -> Plane:
        """`emit`, but equal activations (quantisers often come in copies) share one node."""
        parts = (act.steps, act.base, act.sign, act.lo, act.hi) if act else ()
        key = b"".join(part.tobytes() for part in parts)
        if key not in self.made:
            self.made[key] = self.emit(ctx, op, act, out)
        return self.made[key]


@dataclass(eq=False)
class Real:
    """float32 values chain(x), x the integers of `source`; the index is into what the source emits.

    chain maps (rows, n) integers to floats and is monotone in each row; rows are the source's.
    scheme: set while chain is exactly DequantizeLinear. fused: the integer rule that onnxruntime's
    optimiser puts in place of Dequantize-op-Quantize, given the output's scheme; None where the
    chain is what runs. host: how a host turns the integers into these floats, if the graph ends here.
    noise: (rows, 1), how far off the integers the runtime's own float32 sums may seem, where they round in
    an order of its own; None where chain is exactly what runs. doubt: the chain with each approximated
    function a little off. sign_of: the real whose Sign this is. rounds:
    whether chain has a Round in it.
    """

    source: Source
    chain: Chain
    index: Index
    scheme: Scheme | None = None
    fused: Callable[[Scheme], Fused | None] | None = None
    host: Affine | HostChain | None = None
    noise: NDArray | None = None
    doubt: tuple[Chain, ...] = ()
    sign_of: Real | None = None
    rounds: bool = False

    def mapped(self, function: Callable[[Floats], Floats], step: HostStep | None = None) -> Real:
        """The values after a monotone elementwise float32 function; step: what a host would do for it."""
        inner, host = self.chain, None
        if isinstance(self.host, HostChain) and step is not None:
            host = replace(self.host, steps=(*self.host.steps, step))
        doubt = tuple(_composed(function, other) for other in self.doubt)
        chain = _composed(function, inner)
        inexact: dict[str, Any] = {"noise": self.noise, "doubt": doubt, "rounds": self.rounds}
        return Real(self.source, chain, self.index, host=host, **inexact)

    def viewed(self, index: Index) -> Real:
        """The same values in another order or shape."""
        return replace(self, index=index)


def _composed(outer: Callable[[Floats], Floats], inner: Chain) -> Chain:
    return lambda x: outer(inner(x))


@dataclass(eq=False)
class HostTail:
    """A softmax of a real at the model's end; index: the logits'. scheme: how it was quantised since.

    integer: it is quantised and not yet dequantised. from_integers: by QLinearSoftmax.
    """

    logits: Real
    axis: int
    index: Index
    scheme: Scheme | None = None
    integer: bool = False
    from_integers: bool = False


@dataclass(eq=False)
class Grid:
    """real = unit * (q + shift), float64, one row for all channels or one for each: what integers mean.

    Bipolar activations, {0, 1} as integers, have the shift -1/2. scheme: set for what QuantizeLinear made.
    values: where the integers are codes, 0 and up, of values on the grid; real = unit * values[code] then.
    exact: whether the floats lie on the grid without rounding, where that is known.
    """

    unit: NDArray
    shift: NDArray
    scheme: Scheme | None = None
    values: tuple[int, ...] | None = None
    exact: bool = True

    @classmethod
    def of(cls, scheme: Scheme) -> Grid:
        """The grid of DequantizeLinear."""
        return cls(np.array([scheme.scale]), np.array([-float(scheme.zero_point)]), scheme)

    @property
    def zero_point(self) -> int | None:
        """The integer that stands for 0.0, if there is one and it is the same for all channels."""
        if self.values is not None:
            return self.values.index(0) if 0 in self.values else None
        zero = -float(self.shift[0])
        usable = abs(zero) <= MAX_ZERO and zero.is_integer() and np.all(self.shift == self.shift[0])
        return int(zero) if usable else None


Fused = tuple[Source, Callable[[Ints], Ints]]
Value = Const | Raw | Quant | Real | HostTail


class Context(Protocol):
    """What the front end gives to importers."""

    runtime: str

    def value(self, op: Operation, i: int) -> Value:
        """Input i of an operation."""

    def entered(self, x: Raw, scheme: Scheme, limits: Range | None = None) -> Quant:
        """A float graph input as the integers that its quantiser makes: the host does that."""

    def parameters(
        self, op: Operation, scale: int, zero: int, axis: int, shape: tuple[int, ...]
    ) -> tuple[Floats, Ints, str, int]:
        """(scales, zero points, type, axis >= 0) of a constant of `shape`, from two inputs."""

    def array(self, op: Operation, i: int, what: str) -> NDArray:
        """Input i as a constant array; Unsupported if it is computed."""

    def integers(self, op: Operation, i: int, what: str) -> list[int]:
        """Input i as constant integers."""

    def codes(self, op: Operation, i: int) -> Codes:
        """Input i as integers behind a dequantised constant."""

    def codes_of(self, op: Operation, q: int, scale: int, zero_point: int, axis: int) -> Codes:
        """The constants in three inputs, with scales along `axis`."""

    def scheme(self, op: Operation, i: int, dtype: str) -> Scheme:
        """Per-tensor scale and zero point in inputs i and i+1."""

    def quant(self, op: Operation, i: int) -> Quant:
        """Input i as integers; Unsupported if it is a float."""

    def dequantized(self, op: Operation, i: int) -> tuple[Quant, Scheme]:
        """Input i as the integers that a DequantizeLinear made real."""

    def grid(self, op: Operation, i: int, padded: bool = False, coded: bool = False) -> tuple[Quant, Grid]:
        """Input i as integers on a grid; padded: an integer must stand for 0.0; coded: codes will do."""

    def entered_in_steps(self, entry: Entry, steps: HostSteps, limits: Range) -> Plane:
        """A float graph input as the integers that the host makes of it in steps."""

    def settle(self, plane: Plane, shape: Shape, order: Index) -> Tensor:
        """Make an open graph input an IR tensor of `shape`; order: its own position of each element."""

    def note(self, text: str) -> None:
        """Say something about the graph's exactness."""

    def image(self, value: Quant) -> Tensor:
        """An ONNX (1, C, H, W) value as IR tensor (H, W, C)."""

    def rows(self, value: Quant) -> tuple[Tensor, Ints | None]:
        """An ONNX (..., K) value as IR tensor (1, L, K); for L = 1 with the ONNX column of each channel."""

    def place(self, plane: Plane) -> Tensor:
        """The plane's IR tensor; a graph input still open is put in its natural order."""

    def streamed(self, value: Quant) -> tuple[Tensor, Index]:
        """The IR tensor, and the index in terms of it, in whatever order it streams."""

    def reshaped(self, tensor: Tensor, shape: Shape) -> Tensor:
        """The same stream under another shape."""

    def add(self, op: Operation, make: type[Node], inputs: tuple[Tensor, ...], **fields: Any) -> Tensor:
        """Append a node; names come from the operation."""


def arranged(shape: Shape, dims: tuple[int, ...]) -> Index:
    """Index of an IR tensor (H, W, C) that ONNX sees channel-first with `dims`."""
    height, width, channels = shape
    order = np.arange(height * width * channels, dtype=np.int32).reshape(shape)
    return order.transpose(2, 0, 1).reshape(dims)


class PlaneSource(Source):
    """Integers that already exist."""

    def __init__(self, plane: Plane) -> None:
        super().__init__(ints([plane.range.lo]), ints([plane.range.hi]))
        self.plane = plane

    def emit(self, ctx: Context, op: Operation, act: Staircase | None, out: Scheme) -> Plane:
        """A staircase node, or nothing at all."""
        if act is None:
            return self.plane
        tensor = ctx.add(op, Step, (ctx.place(self.plane),), act=act)
        return Plane(out.dtype, tensor.range, tensor)

    def shape(self, ctx: Context) -> Shape:
        """Shape of the tensor; fixes the order of a graph input."""
        return ctx.place(self.plane).shape


def dequantized_real(value: Quant, scheme: Scheme) -> Real:
    """DequantizeLinear of a value."""
    source, host = PlaneSource(value.plane), Affine(scheme.scale, scheme.zero_point, "even")
    return Real(source, lambda q: dequantize(q, scheme), value.index, scheme, host=host)


def settled(ctx: Context, x: Real) -> Real:
    """The same real with its index in terms of an IR tensor, if it is on a graph input still open."""
    if not isinstance(x.source, PlaneSource) or x.source.plane.entry is None:
        return x
    tensor, index = ctx.streamed(Quant(x.source.plane, x.index))
    source = PlaneSource(Plane(x.source.plane.dtype, tensor.range, tensor))
    return replace(x, source=source, index=index)


def quantized(ctx: Context, op: Operation, x: Real, out: Scheme) -> Quant:
    """QuantizeLinear of a real: emits the node that the real has been waiting for."""
    if x.scheme == out:
        return Quant(x.source.once(ctx, op, None, out), x.index)  # what was dequantised comes back
    fused = x.fused(out) if x.fused is not None else None
    if fused is not None:
        return integer_result(ctx, op, *fused, out, x.index)
    x = settled(ctx, x)
    source = x.source
    act = staircase(x.chain, source.lo, source.hi, out, source.pixel_rows)
    return Quant(source.once(ctx, op, act, out), x.index)


def integer_result(
    ctx: Context, op: Operation, source: Source, rule: Callable[[Ints], Ints], out: Scheme, index: Index
) -> Quant:
    """Output of an integer operation: rule maps the source's (rows, n) integers, monotone, to q."""
    act = from_function(rule, source.lo, source.hi, source.pixel_rows)
    return Quant(source.once(ctx, op, act, out), index)
