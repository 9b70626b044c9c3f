"""NumPy meaning of `softmax`.

The sum is kept with 12 integer bits, its reciprocal 1/sum = scale * 2^-(31 + bits) comes from
gemmlowp's Newton iteration; source: TensorFlow Lite reference softmax.h.
"""

from __future__ import annotations

import numpy as np

from hwgen.layers.softmax.op import Softmax
from hwgen.numeric.fixedpoint import reciprocal
from hwgen.numeric.rounding import Ints, rounding_divide_by_pot
from hwgen.numeric.rounding import saturating_rounding_doubling_high_mul as mul

SUM_INTEGER_BITS = 12


def run(node: Softmax, x: Ints) -> Ints:
    """x: (N, H, W, C) int64."""
    exps = node.exps[np.max(x, axis=-1, keepdims=True) - x]
    total = np.sum(rounding_divide_by_pot(exps, SUM_INTEGER_BITS), axis=-1, keepdims=True)
    scale, bits = reciprocal(total, SUM_INTEGER_BITS)
    scaled = rounding_divide_by_pot(mul(scale, exps), bits + 31 - 8)
    return np.clip(scaled, 0, 255) + node.out_lo
