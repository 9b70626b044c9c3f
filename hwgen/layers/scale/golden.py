"""NumPy meaning of `scale`."""

from __future__ import annotations

from hwgen.layers.scale.op import Scale
from hwgen.numeric.rounding import Ints


def run(node: Scale, a: Ints, b: Ints) -> Ints:
    """a: (N, H, W, C), b: (N, H, W, 1) int64."""
    return node.act(a * b) if node.act else a * b
