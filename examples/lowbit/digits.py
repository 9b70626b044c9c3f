"""The digits of ../digits, in its split, as the low-bit networks see them: float32 grey level / 16."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SOURCE = Path(__file__).resolve().parents[1] / "digits" / "data.py"


class Digits(NamedTuple):
    """Images (N, 1, 8, 8) in steps of 1/16 from 0 to 1, and classes (N,)."""

    images: NDArray[np.float32]
    labels: NDArray[np.int64]


def load() -> tuple[Digits, Digits]:
    """(1,297 training digits, 500 test digits): always the same split."""
    specification = importlib.util.spec_from_file_location("digits_data", SOURCE)
    assert specification is not None and specification.loader is not None
    data = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(data)
    train, test = (
        Digits(data.to_real(part.pixels).transpose(0, 3, 1, 2).astype(np.float32), part.labels)
        for part in data.load()
    )
    return train, test
