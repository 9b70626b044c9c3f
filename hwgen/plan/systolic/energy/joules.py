"""Energy of accesses, with the published figures of a 45 nm process.

Picojoules of 32-bit operations from M. Horowitz, "Computing's energy problem (and what we can do about it)",
ISSCC 2014, as tabulated by Han et al., "EIE", ISCA 2016, table I: integer addition 0.1, multiplication 3.1,
register file 1, SRAM 5, DRAM 640. That a neighbour costs twice a register is of Chen, Emer, Sze, "Eyeriss: a
spatial architecture for energy-efficient dataflow", ISCA 2016. A narrower number costs its share of
the 32 bits; a product and its addition cost what the table says, so that they weigh the same everywhere.
These are not an FPGA's picojoules: they rank dataflows, they predict no power.
"""

from __future__ import annotations

from hwgen.plan.systolic.energy.accesses import LEVELS, Use
from hwgen.program.array import Array

MAC = 3.1 + 0.1
PICOJOULES = {"register": 1.0, "neighbour": 2.0, "memory": 5.0, "offchip": 640.0}  # of 32 bits
TABLE_BITS = 32
PARTS = ("mac", *LEVELS)


def energy(use: Use, array: Array) -> dict[str, float]:
    """Picojoules by part: `mac` and each level."""
    parts = {"mac": MAC * use.macs}
    for level in LEVELS:
        parts[level] = PICOJOULES[level] * getattr(use, level).bits(array) / TABLE_BITS
    return parts
