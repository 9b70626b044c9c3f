"""NumPy meaning of `maxpool`."""

from __future__ import annotations

import numpy as np

from hwgen.layers.maxpool.op import MaxPool
from hwgen.numeric.rounding import Ints


def run(node: MaxPool, x: Ints) -> Ints:
    """x: (N, H, W, C) int64."""
    lowest = int(np.iinfo(np.int64).min)
    out = np.maximum.reduce([seen for _, _, seen in node.window.taps(x, lowest)])
    return node.act(out) if node.act else out
