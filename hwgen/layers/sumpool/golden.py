"""NumPy meaning of `sumpool`."""

from __future__ import annotations

import numpy as np

from hwgen.layers.sumpool.op import SumPool
from hwgen.numeric.rounding import Ints


def run(node: SumPool, x: Ints) -> Ints:
    """x: (N, H, W, C) int64."""
    acc = np.add.reduce([seen for _, _, seen in node.window.taps(x, 0)])
    return node.act(acc) if node.act else acc
