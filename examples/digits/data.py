"""scikit-learn's handwritten digits (UCI Optical Recognition): 8x8 pixels of 0..16, ten classes.

The data come with the scikit-learn package; nothing is downloaded.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SPLIT_SEED = 2024  # of the shuffle that separates training from test digits
TRAIN_COUNT = 1297  # the other 500 of 1,797 are for tests only

INPUT_STEPS = 15  # int8 steps per grey level: 16 levels fill 240 of 255 steps, and each lands on an integer
INPUT_SCALE = 1.0 / (16 * INPUT_STEPS)  # real value of one step; the network sees grey levels as 0..1
INPUT_ZERO_POINT = -128


class Digits(NamedTuple):
    """Grey levels (N, 8, 8, 1) of 0..16 and classes (N,)."""

    pixels: NDArray[np.int64]
    labels: NDArray[np.int64]


def load() -> tuple[Digits, Digits]:
    """(training digits, test digits): always the same split."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    pixels = bunch.images.astype(np.int64)[..., np.newaxis]
    labels = bunch.target.astype(np.int64)
    order = np.random.Generator(np.random.PCG64(SPLIT_SEED)).permutation(len(labels))
    train, test = order[:TRAIN_COUNT], order[TRAIN_COUNT:]
    return Digits(pixels[train], labels[train]), Digits(pixels[test], labels[test])


def to_real(pixels: NDArray[np.int64]) -> NDArray[np.float64]:
    """What the float network sees: grey levels as 0..1 (exact in binary)."""
    return pixels / 16.0


def to_int8(pixels: NDArray[np.int64]) -> NDArray[np.int8]:
    """What the int8 model sees: q = 15 * grey level - 128, with no rounding at all."""
    return (INPUT_STEPS * pixels + INPUT_ZERO_POINT).astype(np.int8)
