"""Sets of weight values that codes and forms are tried on: each takes those that it can hold."""

from __future__ import annotations

import numpy as np

from hwgen.hw.product.form import Levels
from hwgen.numeric.codes import Coded

POOL: dict[str, Levels] = {
    "bipolar": (-1, 1),
    "ternary": (-1, 0, 1),
    "zero and one": (0, 1),
    "minus and zero": (-1, 0),
    "up to 2": (-2, -1, 0, 1, 2),
    "up to 4": (-4, -2, -1, 0, 1, 2, 4),
    "even shifts": (-64, -16, -4, -1, 1, 4, 16, 64),
    "common factor": (-8, -4, 0, 4, 8),
    "logarithmic": (-128, -64, -32, -16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16, 32, 64, 128),
    "two scales": (-3, 0, 5),
    "two terms": (-12, -10, -9, -8, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 12),
    "odd": (-3, -1, 1, 3),
    "odd, 3 bits": (-7, -5, -3, -1, 1, 3, 5, 7),
    "wide scales": (-203, 0, 118),
    "one scale": (-5, 0),
    "two bits": (-2, -1, 0, 1),
    "unsigned": (0, 1, 2, 3),
    "four bits": tuple(range(-8, 8)),
}


CODED = (
    Coded(0, 7, (0, 1, 2, 4, 8, 16, 32, 64)),
    Coded(0, 6, (-4, -2, -1, 0, 1, 2, 4)),
    Coded(0, 3, (1, 2, 8, 64)),
    Coded(0, 8, (-64, -16, -4, -1, 0, 1, 4, 16, 64)),
    Coded(0, 15, (0, *(1 << k for k in range(15)))),
)
"""Activations that carry codes of powers of two."""


def weights_of(levels: Levels, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Random weights, every second row of the two outer levels only; all levels, if there is room."""
    weights = rng.choice(levels, shape)
    weights[1::2] = rng.choice([levels[0], levels[-1]], weights[1::2].shape)
    first = weights[0::2]
    flat = first.reshape(-1)
    count = min(len(levels), flat.size)
    flat[:count] = np.array(levels)[-count:]
    weights[0::2] = flat.reshape(first.shape)
    return weights
