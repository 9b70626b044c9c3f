"""The family without primitives: plain Amaranth, for simulation without models and for any other FPGA."""

from __future__ import annotations

from hwgen.targets.base import Target

GENERIC = Target(inferred=True)
