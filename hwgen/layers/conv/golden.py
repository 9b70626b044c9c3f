"""NumPy meaning of `conv`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwgen.layers.conv.op import Conv
from hwgen.numeric.rounding import Ints


def run(node: Conv, x: Ints) -> Ints:
    """x: (N, H, W, C) int64. Products are summed in floating point that is exact for them."""
    weight = int(np.abs(node.weights).sum(axis=(1, 2, 3)).max())
    x, border = node.decoded(x), int(node.decoded(np.array(node.pad_value)))
    largest = int(np.abs(x).max(initial=abs(border))) * weight
    real = np.float32 if largest < 1 << 24 else np.float64
    weights: NDArray[np.floating] = node.weights.astype(real)
    acc: Ints | None = None
    for i, j, seen in node.window.taps(x, border):
        # one product of two matrices: NumPy would make one for every row of the image
        rows: NDArray[np.floating] = seen.reshape(-1, seen.shape[-1]).astype(real)
        part = (rows @ weights[:, i, j, :].T).astype(np.int64).reshape(*seen.shape[:-1], -1)
        acc = part if acc is None else acc + part
    assert acc is not None
    acc = acc + node.bias
    return node.act(acc) if node.act else acc
