"""Lattice iCE40. Memories are inferred; only the multiplier of the UltraPlus is an instance.

EBR: 4 kbit, 16 bits wide at most. SB_MAC16: 16x16 signed (UltraPlus only).
Source: Lattice iCE40 LP/HX and UltraPlus family data sheets.
"""

from __future__ import annotations

from hwgen.targets.base import RamShape, Target

ICE40 = Target(
    name="ice40",
    rom_shapes=(RamShape(16, 256), RamShape(8, 512), RamShape(4, 1024), RamShape(2, 2048)),
    bram_luts=40,
)
ICE40UP = Target(
    name="ice40up",
    rom_shapes=(RamShape(16, 256), RamShape(8, 512), RamShape(4, 1024), RamShape(2, 2048)),
    bram_luts=40,
)
