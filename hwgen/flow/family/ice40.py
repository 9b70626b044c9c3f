"""Lattice iCE40: synth_ice40, nextpnr-ice40, icepack.

A logic cell of this family is one LUT4, one carry and one flip-flop behind the LUT, so nextpnr counts cells:
a flip-flop whose LUT is used by something else takes a cell of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hwgen.flow.family.base import Family


class Ice40(Family):
    """LP, HX and UltraPlus."""

    def clean(self, module: dict[str, Any]) -> None:
        """Nothing."""

    def chip(self, device: str, package: str, speed: str) -> tuple[str, ...]:
        return (f"--{self.devices[device]}", "--package", package.lower())

    def files(self, *, free_pins: bool) -> tuple[str, ...]:
        free = ("--pcf-allow-unconstrained",) if free_pins else ()
        return ("--pcf", self.constraints, "--asc", self.config, *free)

    def pack(self, *, compress: bool) -> Sequence[str]:
        return [self.config, self.bitstream]


#: The eight cells of a tile share clock enable and set/reset. An enable of one to three flip-flops goes in
#: front of them, where it mostly costs nothing: else an HX1K is full of tiles with a few cells at 84 %.
_ENABLES = ("-dffe_min_ce_use", "4")

ICE40 = Ice40(
    name="ice40",
    devices={
        "iCE40LP1K": "lp1k",
        "iCE40HX1K": "hx1k",
        "iCE40LP8K": "lp8k",
        "iCE40HX8K": "hx8k",
    },
    grades=False,
    clock_mhz=60.0,
    fill=0.9,
    synth_script="synth_ice40.ys.j2",
    synth_options=("-device", "hx", *_ENABLES),
    nextpnr="nextpnr-ice40",
    packer="icepack",
    constraints="top.pcf",
    config="top.asc",
    bitstream="top.bin",
    bels={"lut4": "ICESTORM_LC", "bram": "ICESTORM_RAM"},
)

ICE40UP = replace(
    ICE40,
    name="ice40up",
    devices={"iCE40UP5K": "up5k"},
    clock_mhz=36.0,
    synth_options=("-device", "u", *_ENABLES),
    bels={**ICE40.bels, "dsp": "ICESTORM_DSP", "spram": "ICESTORM_SPRAM"},
    # Lattice FPGA-DS-02008: what nextpnr does not know of these blocks
    limits_mhz={"SB_MAC16": 50.0, "SB_SPRAM256KA": 70.0},
    pll_pads={("iCE40UP5K", "SG48"): "35"},
)
