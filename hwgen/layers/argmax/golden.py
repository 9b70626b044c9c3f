"""NumPy meaning of `argmax`."""

from __future__ import annotations

import numpy as np

from hwgen.layers.argmax.op import ArgMax
from hwgen.numeric.rounding import Ints


def run(node: ArgMax, x: Ints) -> Ints:
    """x: (N, H, W, C) int64; ties go to the lowest index."""
    return np.argmax(x, axis=-1, keepdims=True).astype(np.int64)
