"""A layer as a dataflow sees it: a nest of loops over products, nothing of its numbers."""

from __future__ import annotations

from dataclasses import dataclass

from hwgen.ir.graph import Graph
from hwgen.layers.conv.op import Conv
from hwgen.layers.depthwise.op import Depthwise
from hwgen.program.array import GRANULE, Array


@dataclass(frozen=True)
class Layer:
    """out[y, x, m] = sum over (i, j, c) of w[m, i, j, c] * in[y*stride + i, x*stride + j, c]; depthwise: c =
    m.

    size: (H, W) of the image, pad: (top, bottom, left, right) around it, out: (E, F). channels C, outputs M,
    kernel (R, S). first: it reads the network's input, whose pixels lie side by side as they come.
    """

    name: str
    depthwise: bool
    channels: int
    outputs: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    size: tuple[int, int]
    pad: tuple[int, int, int, int]
    out: tuple[int, int]
    first: bool = False

    @property
    def kind(self) -> str:
        """conv, depthwise or dense."""
        single = self.size == (1, 1) and self.kernel == (1, 1)
        return "depthwise" if self.depthwise else "dense" if single else "conv"

    @property
    def taps(self) -> int:
        """Products of one output."""
        return self.kernel[0] * self.kernel[1] * (1 if self.depthwise else self.channels)

    @property
    def pixels(self) -> int:
        """Output pixels E * F."""
        return self.out[0] * self.out[1]

    @property
    def macs(self) -> int:
        """Products of one inference."""
        return self.pixels * self.outputs * self.taps

    @property
    def weights(self) -> int:
        """Number of weights."""
        return self.outputs * self.taps

    @property
    def pitch(self) -> int:
        """Pixels from a row of the stored image to the next: rows share the halo between them."""
        return self.size[1] + max(self.pad[2:])

    def pixel(self, array: Array) -> int:
        """Bytes of a stored pixel: channels up to a word that is written, the network's input as it comes."""
        if self.first:
            fits = (each for each in range(self.channels, 2 * self.channels + GRANULE))
            return next(each for each in fits if each * self.stride[1] % GRANULE == 0)
        return -(-self.channels // array.columns) * array.columns

    def stored(self, array: Array) -> int:
        """Bytes of input and output together, halo not counted."""
        out = -(-self.outputs // array.columns) * array.columns
        return self.size[0] * self.size[1] * self.pixel(array) + self.pixels * out


def layers(graph: Graph) -> list[Layer]:
    """The graph's convolutions, depthwise convolutions and dense layers, in order."""
    found = []
    entries = {edge.tensor for edge in graph.inputs}
    for node in graph.nodes:
        if node.kind == "reshape" and node.inputs[0] in entries:
            entries.add(node.output)
        if not isinstance(node, Conv | Depthwise):
            continue
        x, y = graph.tensors[node.inputs[0]], graph.tensors[node.output]
        found.append(
            Layer(
                name=node.name,
                depthwise=isinstance(node, Depthwise),
                channels=x.shape[2],
                outputs=node.outputs,
                kernel=node.window.kernel,
                stride=node.window.stride,
                size=x.shape[:2],
                pad=node.window.pad,
                out=y.shape[:2],
                first=node.inputs[0] in entries,
            )
        )
    return found
