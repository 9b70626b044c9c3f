"""The activation at the end of a layer: its estimate, remembered, as planners ask for every folding."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from hwgen.hw.staircase import plan_staircase
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints
from hwgen.numeric.staircase import Staircase
from hwgen.targets.base import Target
from hwgen.targets.resources import Resources

_KNOWN: WeakKeyDictionary[Staircase, dict[tuple[int, int, Target], Resources]] = WeakKeyDictionary()


def activation_cost(
    stair: Staircase | None,
    lanes: int,
    channels: int,
    value: Range,
    target: Target,
    split_at: Ints | None = None,
) -> Resources:
    """What the StaircaseUnit with these arguments takes; nothing without a staircase."""
    if stair is None:
        return Resources()
    known = _KNOWN.setdefault(stair, {})
    key = lanes, channels, target
    if key not in known:
        plan = plan_staircase(
            stair, lanes=lanes, channels=channels, value=value, target=target, split_at=split_at
        )
        known[key] = plan.cost
    return known[key]
