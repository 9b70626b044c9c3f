"""What flows between layers, and how the model's edge looks to its user."""

from __future__ import annotations

from dataclasses import dataclass

from hwgen.numeric.ranges import Range

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Tensor:
    """An integer activation (H, W, C), channel-last, batch not included; a vector is (1, 1, C).

    range: closed range of every element. source: the tensor's name in the model file ("" if hwgen
    made it), so that intermediate results can be compared with the runtime's.
    """

    name: str
    shape: Shape
    range: Range
    source: str = ""

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.shape[0] * self.shape[1] * self.shape[2]


@dataclass(frozen=True)
class Affine:
    """real = scale * (q - zero_point) in float32: how floats outside map to integers inside.

    rounding of the quantiser: "away" (TFLite: halves away from zero), "even" (ONNX), or "none": the
    floats are integers already (QONNX's annotated inputs), anything else is refused.
    """

    scale: float
    zero_point: int
    rounding: str = "away"


@dataclass(frozen=True)
class HostSoftmax:
    """float32 softmax over `axis` (batch not counted) that the host applies after dequantising.

    quantised: the model rounds the probabilities to these integers, lo..hi, before it gives them out.
    from_integers: in the way of onnxruntime's QLinearSoftmax, from a table of exponentials.
    """

    axis: int
    quantised: Affine | None = None
    lo: int = 0
    hi: int = 255
    from_integers: bool = False


HostStep = tuple[str, tuple[float, ...]]
"""One float32 operation: add, sub, rsub (c - x), mul, div, rdiv (c / x), max or min; c is one number or one
a channel."""


@dataclass(frozen=True)
class HostChain:
    """What makes a model's float outputs of integers: x = float32((q + shift) * scale), then the steps.

    shift, scale: float64, one number or one a channel of the tensor; every step rounds to float32.
    """

    shift: tuple[float, ...]
    scale: tuple[float, ...]
    steps: tuple[HostStep, ...] = ()


@dataclass(frozen=True)
class HostSteps:
    """What makes integers of a model's float inputs: q = base[r] + sign[r] * #{k : x >= thresholds[r][k]}.

    A float32 chain (normalisation, scales) with its quantiser is such a function, found by bisection over
    all float32 values, so it is exact for each of them. Row r is a channel of the tensor, or all share one.
    """

    thresholds: tuple[tuple[float, ...], ...]
    base: tuple[int, ...]
    sign: tuple[int, ...]


@dataclass(frozen=True)
class Edge:
    """One input or output of the model as its user sees it; the host converts at this place.

    tensor: name of the IR tensor. shape: the model's own shape, batch not included, e.g. (49, 10, 1),
    (640,), (3, 32, 32). dtype: NumPy name of the model's own type. axes: for a model that is not
    channel-last, the transposition (as in numpy.transpose) of its array, viewed as `spread`, to (H, W, C).
    affine: set where the model's edge is float and the host quantises or dequantises; else None.
    softmax: set where the model ends in a float softmax, which is the host's work too. steps (of an input)
    and chain (of an output): in place of `affine` where the model's floats are not just scaled integers.
    """

    name: str
    tensor: str
    shape: tuple[int, ...]
    dtype: str
    affine: Affine | None = None
    spread: Shape | None = None
    axes: Shape = (0, 1, 2)
    softmax: HostSoftmax | None = None
    steps: HostSteps | None = None
    chain: HostChain | None = None
