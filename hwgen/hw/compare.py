"""Comparison of two variable values in look-up tables."""

from __future__ import annotations

from amaranth.hdl import Value


def greater(a: Value, b: Value) -> Value:
    """a > b for values of one shape, as a tree of look-up tables.

    Shorter than a carry chain, which is left only at its end and through another slot, and smaller: one
    LUT4 for each of the two questions about every pair of bits, then a tree of three and two inputs.
    """
    flip = 1 << (len(a) - 1) if a.shape().signed else 0
    left, right = (Value.cast(v).as_unsigned() ^ flip for v in (a, b))
    digits = [(left[k : k + 2], right[k : k + 2]) for k in range(0, len(a), 2)]
    ranks = [(x > y, x >= y) for x, y in digits]  # (greater, not less) of each pair of bits, lowest first
    while len(ranks) > 1:
        pairs = [
            (high[0] | (high[1] & low[0]), high[1] & low[1] | high[0])
            for low, high in zip(ranks[::2], ranks[1::2])
        ]
        ranks = pairs + ranks[len(pairs) * 2 :]
    return ranks[0][0]
