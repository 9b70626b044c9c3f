"""FPGA families. `target(name)` gives the `Target` that a board names."""

from __future__ import annotations

from hwgen.support.errors import BoardError
from hwgen.targets.base import RamShape, Target
from hwgen.targets.ecp5 import ECP5
from hwgen.targets.generic import GENERIC
from hwgen.targets.ice40 import ICE40, ICE40UP

__all__ = ["ECP5", "GENERIC", "ICE40", "ICE40UP", "RamShape", "Target", "target"]

FAMILIES: dict[str, Target] = {each.name: each for each in (ECP5, ICE40, ICE40UP, GENERIC)}


def target(name: str) -> Target:
    """The family called `name`. Raises BoardError for an unknown one."""
    try:
        return FAMILIES[name]
    except KeyError:
        raise BoardError(
            f"unknown FPGA family {name!r}", hint=f"known families: {', '.join(sorted(FAMILIES))}"
        ) from None
