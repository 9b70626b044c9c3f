"""FPGA families as the flow sees them: devices, synthesis script, place and route, packer."""

from __future__ import annotations

from collections.abc import Mapping

from hwgen.flow.family.base import Family
from hwgen.flow.family.ecp5 import ECP5
from hwgen.flow.family.ice40 import ICE40, ICE40UP

__all__ = ["FAMILIES", "Family"]

FAMILIES: Mapping[str, Family] = {each.name: each for each in (ECP5, ICE40, ICE40UP)}
