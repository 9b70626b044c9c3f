"""Addresses that nested loops of an instruction make."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwgen.program.instructions import WORD

Index = NDArray[np.int64]


def offsets(counts: Sequence[int], moves: Sequence[int]) -> Index:
    """What the loops add to the first address: shape (counts[-1], .., counts[0]), to be taken modulo 2^16.

    counts, moves: innermost loop first; moves are those of `instructions.deltas`, whose inverse this is:
    stride[k] = moves[k] + sum over j < k of (counts[j] - 1) * stride[j].
    """
    total = np.zeros((), dtype=np.int64)
    inner = 0
    for count, move in zip(counts, moves, strict=True):
        stride = (move + inner) % (1 << WORD)
        inner += (count - 1) * stride
        total = np.arange(count, dtype=np.int64).reshape(-1, *(1,) * total.ndim) * stride + total
    return total


def addresses(first: int, counts: Sequence[int], moves: Sequence[int], bits: int = WORD) -> Index:
    """The loops' addresses in the order in which they come, modulo 2^bits."""
    return (first + offsets(counts, moves).ravel()) % (1 << bits)
