"""NumPy meaning of `depthwise`."""

from __future__ import annotations

import numpy as np

from hwgen.layers.depthwise.op import Depthwise
from hwgen.numeric.rounding import Ints


def run(node: Depthwise, x: Ints) -> Ints:
    """x: (N, H, W, C) int64."""
    x, border = node.decoded(x), int(node.decoded(np.array(node.pad_value)))
    acc = sum(seen * node.weights[i, j] for i, j, seen in node.window.taps(x, border)) + node.bias
    return node.act(acc) if node.act else acc
