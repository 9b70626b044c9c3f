"""NumPy meaning of `concat`."""

from __future__ import annotations

import numpy as np

from hwgen.layers.concat.op import Concat
from hwgen.numeric.rounding import Ints


def run(node: Concat, a: Ints, b: Ints) -> Ints:
    """a, b: (N, H, W, C) int64."""
    return np.concatenate([a, b], axis=-1)
