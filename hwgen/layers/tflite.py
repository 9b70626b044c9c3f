"""What an importer of a TFLite operation sees, and what several importers share.

A layer's ``importers_tflite.py`` has two dictionaries by operator name:
CHECKS: check(op) yields a sentence for everything about the operation that hwgen does not do;
IMPORTERS: build(op, ctx) adds nodes to the graph, called only for a model without complaints.
Sources: the TFLite schema; TensorFlow Lite kernel_util.cc (activation limits), padding.h.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hwgen.ir.node import Node
from hwgen.ir.tensor import Shape, Tensor
from hwgen.layers.requantize import table
from hwgen.layers.window import Window
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints, round_half_away
from hwgen.numeric.staircase import Staircase

QUANTIZED = {"INT8": Range(-128, 127), "UINT8": Range(0, 255)}
"""Activation types and what they hold."""

_NONE, _RELU, _RELU_N1_TO_1, _RELU6 = 0, 1, 2, 3
_ACTIVATIONS = {0: "NONE", 1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6", 4: "TANH", 5: "SIGN_BIT"}
_BOUNDS = {_NONE: (None, None), _RELU: (0.0, None), _RELU_N1_TO_1: (-1.0, 1.0), _RELU6: (0.0, 6.0)}
SAME, VALID = 0, 1
MAX_WINDOW = 1 << 12


@dataclass(eq=False)
class Operand:
    """A tensor of the file. shape includes the batch; data: its values if it is constant, else None."""

    index: int
    name: str
    dtype: str
    shape: tuple[int, ...]
    scales: NDArray[np.float32]
    zero_points: Ints
    axis: int = 0
    data: NDArray | None = None
    dynamic: bool = False

    @property
    def scale(self) -> np.float32:
        """The per-tensor scale."""
        return self.scales[0]

    @property
    def zero_point(self) -> int:
        """The per-tensor zero point."""
        return int(self.zero_points[0]) if self.zero_points.size else 0

    @property
    def limits(self) -> Range:
        """What the type holds."""
        return QUANTIZED[self.dtype]

    @property
    def image(self) -> Shape:
        """(H, W, C) of an activation of rank 1 to 4 with batch 1."""
        inner = self.shape[1:]
        h, w, c = (1,) * (3 - len(inner)) + inner
        return h, w, c

    def __str__(self) -> str:
        return f"tensor {self.index} ({self.name or 'unnamed'})"


@dataclass(eq=False)
class Operation:
    """An operator of the file. An optional input that is left out is None."""

    index: int
    kind: str
    version: int
    inputs: tuple[Operand | None, ...]
    outputs: tuple[Operand, ...]
    options: dict[str, Any] = field(default_factory=dict)

    def input(self, i: int) -> Operand:
        """An input that the frontend has checked to be there."""
        operand = self.inputs[i]
        assert operand is not None
        return operand

    def optional(self, i: int) -> Operand | None:
        """An input that may be left out."""
        return self.inputs[i] if i < len(self.inputs) else None

    @property
    def output(self) -> Operand:
        """The first output."""
        return self.outputs[0]

    def __str__(self) -> str:
        return f"op {self.index} {self.kind}"


class Context(Protocol):
    """What the frontend gives to importers."""

    runtime: str

    def tensor(self, operand: Operand) -> Tensor:
        """The IR tensor of an activation."""

    def place(self, op: Operation, inside: bool = False) -> dict[str, Any]:
        """name, output and source for a node that makes op's output (`inside`: a step on the way to it)."""

    def add(self, op: Operation, node: Node, image: Shape | None = None) -> Tensor:
        """Append a node; returns its output. image: (H, W, C), where the file's shape does not say it."""

    def alias(self, operand: Operand, tensor: Tensor, image: Shape | None = None) -> None:
        """`operand` is an existing tensor under another name."""


def check_activations(op: Operation, *operands: Operand) -> Iterator[str]:
    """Complaints about tensors that are no per-tensor quantised activations of batch 1."""
    for operand in operands:
        if operand.dtype not in QUANTIZED:
            yield f"{operand} is {operand.dtype}, not int8 or uint8"
        elif operand.scales.size != 1:
            yield f"{operand} has {operand.scales.size} scales; activations need exactly one"
        if operand.data is not None:
            yield f"{operand} is a constant where an activation is expected"
        yield from check_shape(operand)


def check_shape(operand: Operand) -> Iterator[str]:
    """Complaints about a shape that is not (1, ...) of rank 1 to 4."""
    if operand.dynamic:
        yield f"{operand} has a dynamic shape; export the model with fixed shapes"
    elif not 1 <= len(operand.shape) <= 4:
        yield f"{operand} has rank {len(operand.shape)}; ranks 1 to 4 with the batch first are supported"
    elif 0 in operand.shape:
        yield f"{operand} is empty (shape {operand.shape})"
    elif operand.shape[0] != 1:
        yield f"{operand} has batch {operand.shape[0]}; export the model with batch 1"


def check_fused(op: Operation) -> Iterator[str]:
    """Complaint about a fused activation other than none, relu, relu6, relu_n1_to_1."""
    fused = op.options["fused_activation"]
    if fused not in (_NONE, _RELU, _RELU_N1_TO_1, _RELU6):
        yield f"fused activation {_ACTIVATIONS.get(fused, fused)}"


def check_same_type(op: Operation, *operands: Operand) -> Iterator[str]:
    """Complaint where the operands' types differ."""
    types = {operand.dtype for operand in operands}
    if len(types) > 1:
        yield f"mixes {' and '.join(sorted(types))}"


def quantized(value: float, operand: Operand) -> int:
    """A real number in an operand's integers: division in float32, halves away from zero, not clamped."""
    with np.errstate(over="ignore"):
        ratio = float(np.float32(value) / operand.scale)
    bound = float(1 << 31)
    return operand.zero_point + round_half_away(min(max(ratio, -bound), bound))


def activation_limits(op: Operation) -> Range:
    """Clamp of the fused activation in the output's integers."""
    out, limits = op.output, op.output.limits
    low, high = _BOUNDS[op.options["fused_activation"]]
    lo = limits.lo if low is None else min(max(limits.lo, quantized(low, out)), limits.hi)
    hi = limits.hi if high is None else max(min(limits.hi, quantized(high, out)), lo)
    return Range(lo, hi)


def _padding(op: Operation, size: tuple[int, int], kernel: tuple[int, int]) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) for an input size and a kernel that is already spread by its dilation.

    SAME pads what the output of ceil(size / stride) needs, the odd pixel at the bottom and right.
    """
    if op.options["padding"] == VALID:
        return 0, 0, 0, 0
    total = []
    for length, k, stride in zip(size, kernel, (op.options["stride_h"], op.options["stride_w"]), strict=True):
        out = -(-length // stride)
        total.append(max((out - 1) * stride + k - length, 0))
    (height, width) = total
    return height // 2, height - height // 2, width // 2, width - width // 2


def check_window(op: Operation) -> Iterator[str]:
    """Complaints about stride and padding."""
    if op.options["stride_h"] < 1 or op.options["stride_w"] < 1:
        yield f"stride {op.options['stride_h']}x{op.options['stride_w']}"
    if op.options["padding"] not in (SAME, VALID):
        yield f"padding type {op.options['padding']}"


def window_of(op: Operation, x: Tensor, kernel: tuple[int, int] | None = None) -> Window:
    """The window over `x` that the options say; kernel: its size if they do not, dilation included."""
    kernel = kernel or (op.options["filter_h"], op.options["filter_w"])
    stride = (op.options["stride_h"], op.options["stride_w"])
    return Window(kernel, stride, _padding(op, (x.shape[0], x.shape[1]), kernel))


def check_pool(op: Operation) -> Iterator[str]:
    """Complaints about a pool; a window that leaves the image has a rounding for every area."""
    x = op.input(0)
    yield from check_activations(op, x, op.output)
    yield from check_same_type(op, x, op.output)
    yield from check_fused(op)
    yield from check_window(op)
    window = (op.options["filter_h"], op.options["filter_w"])
    if min(window) < 1 or (op.options["padding"] == SAME and window[0] * window[1] > MAX_WINDOW):
        yield f"window of {window[0]}x{window[1]}"


def constant_integers(operand: Operand | None) -> list[int] | None:
    """Values of a short constant int32 or int64 tensor; None if it is none."""
    if operand is None or operand.data is None or operand.dtype not in ("INT32", "INT64"):
        return None
    if operand.data.size > 64:
        return None
    return [int(v) for v in operand.data.ravel()]


def clamp_of(op: Operation, reach: Range) -> Staircase | None:
    """The fused activation on integers that are already the output's; None if it changes nothing."""
    limits = activation_limits(op)
    if reach in limits:
        return None
    return table(np.clip(np.arange(reach.lo, reach.hi + 1), limits.lo, limits.hi), reach.lo)
