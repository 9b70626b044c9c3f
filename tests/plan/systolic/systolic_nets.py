"""Random small networks for the systolic compiler, with requantisations as TFLite makes them; and how an
image's execution is compared with the golden model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwgen.golden.run import execute
from hwgen.ir.graph import Graph
from hwgen.ir.tensor import Edge, Tensor
from hwgen.layers.add.op import Add
from hwgen.layers.concat.op import Concat
from hwgen.layers.conv.op import Conv
from hwgen.layers.depthwise.op import Depthwise
from hwgen.layers.maxpool.op import MaxPool
from hwgen.layers.pad.op import Pad
from hwgen.layers.reshape.op import Reshape
from hwgen.layers.staircase.op import Step
from hwgen.layers.sumpool.op import SumPool
from hwgen.layers.window import Window
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import (
    Ints,
    multiply_double_rounding,
    multiply_single_rounding,
    quantize_multipliers,
)
from hwgen.numeric.staircase import Staircase, from_function
from hwgen.plan.systolic.lower import Lowered
from hwgen.program.model import Engine


def requantisation(
    rng: np.random.Generator, lo: Ints, hi: Ints, values: Range, single: bool = False
) -> Staircase:
    """y = clip(round(x * m) + zero) with a multiplier a row, whose steps cover about the row's range.

    The multipliers have 24 bits: for rows of millions of sums there is not always a narrower one of 31 bits.
    """
    spans = np.maximum(hi - lo, 1)
    m, shift = quantize_multipliers(np.minimum(rng.uniform(60, 400, len(lo)) / spans, 0.9))
    m = m >> 7 << 7
    zero = int(rng.integers(values.lo, values.hi + 1))
    low = zero if rng.random() < 0.4 else values.lo
    multiply = multiply_single_rounding if single else multiply_double_rounding

    def f(x: Ints) -> Ints:
        return np.clip(multiply(x, m[:, None], shift[:, None]) + zero, low, values.hi)

    return from_function(f, lo, hi)


INT8 = Range(-128, 127)


class Builder:
    """Appends random layers to a graph; `name` is the newest tensor's."""

    def __init__(self, seed: int, shape: tuple[int, int, int], values: Range = INT8) -> None:
        self.rng = np.random.default_rng(seed)
        self.graph = Graph(f"net{seed}", "tflite")
        self.name = "x"
        self.graph.add_input(Edge("x", "x", shape, "int8"), Tensor("x", shape, values))

    @property
    def tensor(self) -> Tensor:
        return self.graph.tensors[self.name]

    def values(self) -> Range:
        return Range(0, 255) if self.rng.random() < 0.15 else Range(-128, 127)

    def new(self) -> dict[str, object]:
        number = len(self.graph.nodes)
        return {"name": f"n{number}", "inputs": (self.name,), "output": f"t{number}"}

    def add(self, node: object) -> None:
        self.name = self.graph.add(node).name  # type: ignore[arg-type]

    def window(self, most: int = 5) -> Window:
        height, width, channels = self.tensor.shape
        most = min(most, 3) if channels > 12 else most
        kernel = tuple(int(self.rng.integers(1, min(most, n) + 1)) for n in (height, width))
        stride = tuple(int(self.rng.integers(1, 4)) if self.rng.random() < 0.4 else 1 for _ in range(2))
        pad = [int(self.rng.integers(0, kernel[i // 2])) if self.rng.random() < 0.6 else 0 for i in range(4)]
        return Window(kernel, stride, tuple(pad))  # type: ignore[arg-type]

    def conv(self, outputs: int, window: Window | None = None) -> None:
        window = window or self.window()
        weights = self.rng.integers(-128, 128, (outputs, *window.kernel, self.tensor.shape[2]))
        self._weighted(Conv, weights, outputs, window)

    def depthwise(self, window: Window | None = None, border: int | None = None) -> None:
        window, channels = window or self.window(), self.tensor.shape[2]
        weights = self.rng.integers(-128, 128, (*window.kernel, channels))
        self._weighted(Depthwise, weights, channels, window, border)

    def _weighted(
        self, kind: type, weights: Ints, outputs: int, window: Window, border: int | None = None
    ) -> None:
        bias = self.rng.integers(-3000, 3000, outputs)
        x = self.tensor.range
        node = kind(
            **self.new(), weights=weights, bias=bias, window=window,
            pad_value=int(self.rng.integers(x.lo, x.hi + 1)) if border is None else border,
        )  # fmt: skip
        lo, hi = node.acc_bounds(x)
        node.act = requantisation(self.rng, lo, hi, self.values(), self.rng.random() < 0.3)
        self.add(node)

    def requantised(self, lo: Ints, hi: Ints) -> Staircase:
        """An activation for sums lo..hi whose values are within those of the newest tensor."""
        return requantisation(self.rng, lo, hi, self.tensor.range)

    def sumpool(self) -> None:
        window, x = self.window(), self.tensor.range
        node = SumPool(**self.new(), window=window)
        span = node.acc_range(x)
        lo, hi = (np.array([each]) for each in (span.lo, span.hi))
        self.add(SumPool(**self.new(), window=window, act=requantisation(self.rng, lo, hi, self.values())))

    def maxpool(self) -> None:
        self.add(MaxPool(**self.new(), window=self.window()))

    def step(self) -> None:
        x, rows = self.tensor, self.tensor.shape[2] if self.rng.random() < 0.5 else 1
        lo, hi = np.full(rows, x.range.lo), np.full(rows, x.range.hi)
        self.add(Step(**self.new(), act=requantisation(self.rng, lo, hi, self.values())))

    def pad(self) -> None:
        pad = tuple(int(n) for n in self.rng.integers(0, 3, 4))
        self.add(Pad(**self.new(), pad=pad, value=int(self.rng.integers(-128, 128))))

    def flatten(self) -> None:
        self.add(Reshape(**self.new(), shape=(1, 1, self.tensor.size)))

    def residual(self) -> None:
        """x + conv1x1(x), as TFLite adds: both rescaled to 2^20, the sum rescaled back."""
        a = self.name
        self.conv(self.tensor.shape[2], Window())
        tensors = self.graph.tensors[a], self.tensor
        ratio = self.rng.uniform(0.3, 1.0, 2)
        ratio[int(self.rng.integers(2))] = 1.0
        m, shift = quantize_multipliers(ratio / 2)
        tables = []
        for tensor, scale, places in zip(tensors, m, shift, strict=True):
            zero = int(self.rng.integers(tensor.range.lo, tensor.range.hi + 1))
            values = np.arange(tensor.range.lo, tensor.range.hi + 1) - zero
            tables.append(multiply_double_rounding(values << 20, scale, places))
        lo, hi = (np.array([sum(int(t[end]) for t in tables)]) for end in (0, -1))
        act = requantisation(self.rng, lo, hi, Range(-128, 127))
        offsets = tuple(tensor.range.lo for tensor in tensors)
        self.add(
            Add(
                name=f"n{len(self.graph.nodes)}", inputs=(a, self.name), output=f"t{len(self.graph.nodes)}",
                tables=tuple(tables), offsets=offsets, act=act,
            )
        )  # fmt: skip

    def concat(self) -> None:
        """x and a convolution of it side by side, in either order, or two convolutions of it."""
        a, count = self.name, 2 * int(self.rng.integers(1, 8))
        self.conv(count, Window())
        b = self.name
        if self.rng.random() < 0.5:
            self.name = a
            self.conv(2 * int(self.rng.integers(1, 8)), Window())
            a, b = b, self.name
        if self.rng.random() < 0.3 and self.graph.tensors[b].shape[2] % 2 == 0:
            a, b = b, a
        parts = (a, b) if self.graph.tensors[a].shape[2] % 2 == 0 else (b, a)
        if self.rng.random() < 0.3 and self.graph.tensors[parts[1]].shape[2] % 2 == 0:
            number = len(self.graph.nodes)
            self.add(Concat(name=f"n{number}", inputs=parts, output=f"t{number}"))
            parts = (self.name, a)
        number = len(self.graph.nodes)
        self.add(Concat(name=f"n{number}", inputs=parts, output=f"t{number}"))

    def done(self) -> Graph:
        self.graph.add_output(Edge("y", self.name, self.tensor.shape, "int8"))
        return self.graph


def random_inputs(graph: Graph, count: int, seed: int = 0) -> dict[str, Ints]:
    """Uniform over the full range."""
    rng = np.random.default_rng(seed)
    tensors = [graph.tensors[edge.tensor] for edge in graph.inputs]
    return {t.name: rng.integers(t.range.lo, t.range.hi + 1, (count, *t.shape)) for t in tensors}


def compare(lowered: Lowered, inputs: dict[str, Ints], seeds: tuple[int, ...] = (0, 1)) -> int:
    """Run the image on the engine's model: every tensor equals the golden model's. Returns their integers."""
    graph, compared = lowered.graph, 0
    golden = execute(graph, inputs, keep=True)
    count = len(next(iter(inputs.values())))
    for seed in seeds:
        engine = Engine(lowered.image, seed)
        for i in range(count):
            check = _Check(lowered, {name: values[i] for name, values in golden.items()})
            given = engine.run(lowered.enter({name: x[i] for name, x in inputs.items()}), check)
            assert check.seen == lowered.where.keys()
            for name, values in lowered.leave(given).items():
                np.testing.assert_array_equal(values, golden[name][i], err_msg=name)
            compared += sum(graph.tensors[name].size for name in check.seen)
    return compared


class _Check:
    """Compares every tensor with what is wanted once it is complete."""

    def __init__(self, lowered: Lowered, wanted: dict[str, Ints]) -> None:
        self.lowered, self.wanted = lowered, wanted
        self.seen: set[str] = set()

    def __call__(self, number: int, _: object, memory: NDArray[np.int8]) -> None:
        for name, place in self.lowered.where.items():
            if name not in self.seen and place.after <= number + 1:
                self.seen.add(name)
                got = place.read(memory).reshape(self.wanted[name].shape)
                np.testing.assert_array_equal(got, self.wanted[name], err_msg=name)
