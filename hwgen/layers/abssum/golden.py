"""NumPy meaning of `abssum`."""

from __future__ import annotations

import numpy as np

from hwgen.layers.abssum.op import AbsSum
from hwgen.numeric.rounding import Ints


def run(node: AbsSum, x: Ints) -> Ints:
    """x: (N, H, W, C) int64."""
    total: Ints = np.abs(x - node.zero).sum(axis=-1, keepdims=True)
    return total
