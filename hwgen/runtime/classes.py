"""Labels and the best classes of a classifier's outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from hwgen.support.errors import UsageError

_LIMIT = 1 << 20


@dataclass(frozen=True)
class Scored:
    """A class: its index, its label (its index as text where there are no labels), its score."""

    index: int
    label: str
    score: float


def top(scores: ArrayLike, count: int = 5, labels: Sequence[str] = ()) -> list[Scored]:
    """The `count` classes of one sample with the highest scores, the best first; of equal ones the first.

    scores: an output of any shape, counted through. UsageError: no scores, or labels that are fewer.
    """
    flat = np.asarray(scores).ravel()
    if not flat.size:
        raise UsageError("no scores")
    if labels and len(labels) < flat.size:
        raise UsageError(f"{len(labels)} labels for {flat.size} classes", where="labels")
    best = np.argsort(-flat.astype(np.float64), kind="stable")[:count]
    return [Scored(int(k), labels[k] if labels else str(k), float(flat[k])) for k in best]


def read_labels(path: str | Path) -> tuple[str, ...]:
    """Labels of a text file, one a line. UsageError if it cannot be read."""
    try:
        data = Path(path).read_bytes()
        if len(data) > _LIMIT:
            raise ValueError(f"more than {_LIMIT} bytes")
        return tuple(line.strip() for line in data.decode().splitlines())
    except (OSError, ValueError) as error:
        raise UsageError(
            f"cannot be read: {error}", where=str(path), hint="one label a line, UTF-8"
        ) from error
