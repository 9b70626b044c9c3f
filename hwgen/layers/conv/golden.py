"""NumPy meaning of `conv`."""

from __future__ import annotations

import numpy as np

from hwgen.layers.conv.op import Conv
from hwgen.numeric.rounding import Ints


def run(node: Conv, x: Ints) -> Ints:
    """x: (N, H, W, C) int64. Products are summed in float64, exact below 2^53."""
    acc: Ints | None = None
    weights = node.weights.astype(np.float64)
    for i, j, seen in node.window.taps(x, node.pad_value):
        part = (seen.astype(np.float64) @ weights[:, i, j, :].T).astype(np.int64)
        acc = part if acc is None else acc + part
    assert acc is not None
    acc = acc + node.bias
    return node.act(acc) if node.act else acc
